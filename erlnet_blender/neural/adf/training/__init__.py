"""Training the speech model: `erlnet train speech CORPUS -o OUT --steps N --resume`.

Speech: cross-entropy on contacts and phones, squared error on shapes, their velocities and accents. Style: the decoder
learns rule-made styles (`styled_motion`) of the same windows, from exact or measured factors and a code of other motion
in the same style. Every random choice of step n comes from (seed, n), so a resumed run ends bit for bit like one that
was never stopped (one thread, same machine).
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....errors import ErlnetError
from ..articulation import ARTICULATION
from ..checkpoint import load_network, load_tensors, save_tensors, save_weights
from ..corpus.folder import SpeechCorpus
from ..corpus.preparation import Prepared, prepare
from ..evaluation import calibrate
from ..features import HIGHEST_HZ, LOWEST_HZ, mel_of_hz
from ..network import CONTACT_COLUMNS, SHAPE_COLUMNS, SpeechToFaceNetwork, speaking_of
from ..style.factors import BEHAVIOUR_COLUMNS, NEUTRAL, SPREAD
from ..style.rules import random_traits, styled_motion

BATCH, WINDOW_FRAMES, REFERENCE_FRAMES = 16, 100, 200
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
EMA_DECAY = 0.998
_POOL_SHARES = (0.42, 0.54, 0.04)
_CONTACT_WEIGHTS = {"closure": 2.0, "lip_tuck": 2.0}
_SAVE_EVERY = 500
_TRACT_CHANGE = 0.15


class _Batches:
    """Windows of prepared examples, chosen by (seed, step)."""

    def __init__(self, prepared: Prepared, seed: int) -> None:
        self.data, self.seed = prepared, seed
        self.pools = [np.flatnonzero(prepared.pools == pool) for pool in range(3)]
        shares = np.array([share if len(pool) else 0.0 for share, pool in zip(_POOL_SHARES, self.pools, strict=True)])
        self.shares = shares / shares.sum()

    def speech(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log-mel (B, 2T, 80), motion (B, T, 11), phones (B, T), accents (B, T)."""
        frames = WINDOW_FRAMES
        mel = np.zeros((BATCH, 2 * frames, self.data.mel.shape[1]), np.float32)
        motion = np.zeros((BATCH, frames, len(ARTICULATION)), np.float32)
        phones, accents = np.zeros((BATCH, frames), np.int64), np.zeros((BATCH, frames), np.float32)
        for row in range(BATCH):
            pool = self.pools[random.choice(3, p=self.shares)]
            index = pool[random.integers(len(pool))]
            begin, end = self.data.starts[index], self.data.starts[index + 1]
            start = begin + random.integers(max(1, end - begin - frames + 1))
            count = min(frames, end - start)
            part = slice(start, start + count)
            mel[row, : 2 * count] = self.data.mel[2 * start : 2 * (start + count)]
            mel[row, 2 * count :] = mel[row, 2 * count - 1]
            motion[row, :count], phones[row, :count] = self.data.motion[part], self.data.phones[part]
            accents[row, :count] = self.data.accents[part]
            _distort(mel[row], random)
        return tuple(map(torch.from_numpy, (mel, motion, phones, accents)))  # type: ignore[return-value]

    def references(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Other motion (B, 200, 11), accents (B, 200) and speaking (B, 200), across recordings."""
        starts = random.integers(0, max(1, len(self.data.motion) - REFERENCE_FRAMES), BATCH)
        rows = starts[:, None] + np.arange(REFERENCE_FRAMES)
        rows = np.minimum(rows, len(self.data.motion) - 1)
        motion, accents = self.data.motion[rows].astype(np.float32), self.data.accents[rows].astype(np.float32)
        return (
            torch.from_numpy(motion),
            torch.from_numpy(accents),
            torch.from_numpy((self.data.phones[rows] > 0).astype(np.float32)),
        )


def _distort(mel: np.ndarray, random: np.random.Generator) -> None:
    """Another vocal tract, a missing band, another spectral tilt, another level, a little noise: in place."""
    bands = mel.shape[1]
    if random.random() < 0.5:
        _warp(mel, float(np.exp(random.uniform(-_TRACT_CHANGE, _TRACT_CHANGE))))
    if random.random() < 0.4:
        low = random.integers(0, bands - 10)
        mel[:, low : low + random.integers(2, 12)] = mel.mean()
    if random.random() < 0.5:
        mel += np.interp(np.arange(bands), np.linspace(0, bands - 1, 7), random.normal(0, 0.1, 7)).astype(np.float32)
    mel += random.normal(0, 0.05)
    if random.random() < 0.3:
        mel += random.standard_normal(mel.shape).astype(np.float32) * 0.05


def _warp(mel: np.ndarray, factor: float) -> None:
    """Scale the frequency axis, as a longer or shorter vocal tract does (Jaitly & Hinton 2013): in place."""
    bands = mel.shape[1]
    edges_mel = np.linspace(mel_of_hz(LOWEST_HZ), mel_of_hz(HIGHEST_HZ), bands + 2)[1:-1]
    sources_mel = mel_of_hz(np.minimum(700 * (10 ** (edges_mel / 2595) - 1) * factor, HIGHEST_HZ))
    place = np.clip(np.interp(sources_mel, edges_mel, np.arange(bands)), 0, bands - 1)
    below = np.minimum(place.astype(int), bands - 2)
    share = (place - below).astype(np.float32)
    mel[:] = mel[:, below] * (1 - share) + mel[:, below + 1] * share


def speech_loss(outputs: tuple[Tensor, Tensor, Tensor], motion: Tensor, phones: Tensor, accents: Tensor) -> Tensor:
    """The loss of the speech encoder; see the module."""
    logits, phone_logits, accent = outputs
    predicted = torch.sigmoid(logits)
    weights = torch.tensor([_CONTACT_WEIGHTS.get(ARTICULATION[index], 1.0) for index in CONTACT_COLUMNS])
    contact = functional.binary_cross_entropy_with_logits(
        logits[..., CONTACT_COLUMNS], motion[..., CONTACT_COLUMNS], reduction="none"
    )
    shape = (predicted - motion)[..., SHAPE_COLUMNS].square().mean()
    velocity = (predicted.diff(dim=1) - motion.diff(dim=1)).square().mean()
    phone = functional.cross_entropy(phone_logits.transpose(1, 2), phones)
    accent_error = (accent - accents).square().mean()
    return (contact * weights).mean() + 8 * shape + 6 * velocity + 0.25 * phone + 0.5 * accent_error


def style_loss(
    network: SpeechToFaceNetwork, content: tuple[Tensor, Tensor, Tensor], truth: tuple[Tensor, Tensor, Tensor],
    reference: tuple[Tensor, Tensor, Tensor], random: np.random.Generator,
) -> Tensor:  # fmt: skip
    """The loss of the style parts: content (predicted or true neutral motion) must come out styled as the truth would.

    content, truth: motion (B, T, 11), accents (B, T), speaking (B, T); reference: the same for other motion.
    """
    count = len(truth[0])
    plain = random.random(count) < 0.4
    traits = random_traits(random, count, plain)
    with torch.no_grad():
        target = styled_motion(*truth, traits)
        styled = styled_motion(*reference, traits)
        mouth = torch.cat([reference[0], styled[..., len(SHAPE_COLUMNS) :]], 2)
        mouth[..., SHAPE_COLUMNS] = styled[..., : len(SHAPE_COLUMNS)]
    residual = network.style_encoder(mouth)
    residual = residual * torch.from_numpy(~plain | (random.random(count) < 0.3)).float()[:, None]
    explicit = (traits.factors - torch.from_numpy(NEUTRAL)) / torch.from_numpy(SPREAD)
    # References are short, so what is measured in them is off: amplitudes most.
    slack = torch.zeros_like(explicit)
    slack[:, :2] = torch.from_numpy(random.normal(0, 0.5, (count, 2)) * ~plain[:, None]).float()
    explicit = explicit + slack
    # Head statistics are used as they are, and must not matter here.
    explicit[:, BEHAVIOUR_COLUMNS] = torch.from_numpy(random.normal(0, 1, (count, len(BEHAVIOUR_COLUMNS)))).float()
    predicted = network.style_decoder(*content, torch.cat([explicit, residual], 1))
    error = (predicted - target).square().mean()
    velocity = (predicted.diff(dim=1) - target.diff(dim=1)).square().mean()
    return 8 * error + 6 * velocity + 1e-3 * residual.square().mean()


class _Run:
    """Network, its moving average, optimiser and step: all that a resumed training needs."""

    def __init__(self, seed: int, channels: int) -> None:
        torch.manual_seed(seed)
        self.network = SpeechToFaceNetwork(channels)
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, betas=(0.9, 0.98)
        )
        self.step, self.rate = 0, LEARNING_RATE

    def start_from(self, weights: str | Path) -> dict:
        """Take trained weights instead of random ones; returns what is to be remembered of them."""
        trained, metadata = load_network(weights)
        self.network.load_state_dict(trained.state_dict())
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.rate = LEARNING_RATE / 3
        told = ("seed", "steps", "trained_steps", "command", "corpus")
        return {"started_from": {key: metadata[key] for key in told if key in metadata}}

    def advance(self, loss: Tensor, fraction: float) -> None:
        """One step of the optimiser: warm-up of 60 steps, then a cosine over the whole run."""
        rate = self.rate * min(1, (self.step + 1) / 60) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fraction)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, self.step / (self.step + 10))
        with torch.no_grad():
            for name, tensor in self.network.state_dict().items():
                self.average[name].lerp_(tensor, 1 - decay)

    def save(self, path: Path, notes: dict) -> None:
        """Write the whole state."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
        save_tensors(path, tensors, {**notes, "step": self.step})

    def load(self, path: Path, notes: dict) -> None:
        """Take up the state that `save` wrote.

        Raises:
            ErlnetError: the state is missing, damaged, or of a run with other settings.
        """
        tensors, metadata = load_tensors(path, "training state")
        different = [key for key, value in notes.items() if metadata.get(key) != value]
        if different:
            raise ErlnetError(
                f"Training state is of a run with another {', '.join(different)}", path, "start without --resume"
            )
        part = lambda prefix: {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}  # noqa: E731
        self.network.load_state_dict(part("network."))
        self.average = part("average.")
        optimiser = self.optimiser.state_dict()
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in part("optimiser.").items():
            index, _, field = name.partition(".")
            state.setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": optimiser["param_groups"]})
        self.step = int(metadata["step"])


def train(
    corpus_dir: str | Path, out: str | Path, steps: int = 7000, resume: bool = False, seed: int = 0,
    channels: int = 224, start: str | Path | None = None, report=print,
) -> dict:  # fmt: skip
    """Train and write weights to `out`; the state of the run lies beside it (`.state.safetensors`).

    Args:
        start: weights to go on from, at a third of the learning rate (fine-tuning, e.g. to filmed people); else new.

    Returns:
        {"steps", "loss", "seconds"}: of this call.

    Raises:
        ErlnetError: the corpus or the state is unusable, the output cannot be written, or the loss is not finite.
    """
    out = Path(out)
    state_path = out.with_suffix(".state.safetensors")
    corpus = SpeechCorpus(corpus_dir)
    batches = _Batches(prepare(corpus, seed, report), seed)
    run = _Run(seed, channels)
    notes = {"seed": seed, "steps": steps, "channels": channels}
    earlier = run.start_from(start) if start is not None else {}
    if resume:
        run.load(state_path, notes)
    first, started, smooth = run.step, time.monotonic(), float("nan")
    command = f"erlnet train speech CORPUS -o {out.name} --steps {steps} --seed {seed}"
    if start is not None:
        command += f" --start {Path(start).name}"
    made = {**notes, **earlier, "command": command, "corpus": corpus.index.get("made_by", "unknown")}
    while run.step < steps:
        loss = _loss(run, batches, np.random.default_rng([seed, run.step]), seed)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ErlnetError(f"Loss is not finite at step {run.step}", out, "resume from the last saved state")
        run.advance(loss, run.step / steps)
        smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        if run.step % 100 == 0:
            report(f"step {run.step}/{steps} loss {smooth:.4f} {time.monotonic() - started:.0f} s", flush=True)
        if run.step % _SAVE_EVERY == 0 or run.step == steps:
            run.save(state_path, notes)
            save_weights(out, run.network, run.average, {**made, "trained_steps": run.step})
    if corpus.entries("development"):
        calibration = calibrate(corpus_dir, out)
        report(f"closure threshold {calibration['closure_threshold']}, gains {calibration['gains']}", flush=True)
    return {"steps": run.step - first, "loss": smooth, "seconds": time.monotonic() - started}


def _loss(run: _Run, batches: _Batches, random: np.random.Generator, seed: int) -> Tensor:
    torch.manual_seed(seed * 1_000_003 + run.step)  # dropout
    run.network.train()
    mel, motion, phones, accents = batches.speech(random)
    outputs = run.network.speech(mel)
    truth = (motion, accents, (phones > 0).float())
    heard = (torch.sigmoid(outputs[0]).detach(), outputs[2].detach(), speaking_of(outputs[1]).detach())
    use_heard = torch.from_numpy(random.random(len(motion)) < 0.6)
    content = tuple(
        torch.where(use_heard.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(heard, truth, strict=True)
    )
    style = style_loss(run.network, content, truth, batches.references(random), random)  # type: ignore[arg-type]
    return speech_loss(outputs, motion, phones, accents) + style
