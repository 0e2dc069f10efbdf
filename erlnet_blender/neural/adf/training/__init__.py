"""Training ADF: `erlnet train speech CORPUS -o OUT`, in stages that can be resumed.

The speech encoder first (`speech_stage`), then style on what is heard (`style_stage`): with these a head speaks. Then
words for motion (`motion_stage`), and which of them fit what is heard (`code_stage`). The weights of all parts lie in
OUT; the state of stage S in OUT's name with `.S.state.safetensors`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ....errors import ErlnetError
from ..checkpoint import load_network, save_weights
from ..corpus.folder import SpeechCorpus
from ..corpus.preparation import prepare
from ..evaluation import calibrate
from ..network import WAYS, SpeechToFaceNetwork
from . import code_stage, motion_stage, speech_stage, style_stage
from .batches import Batches
from .run import Run, Stage
from .teacher import Teacher

STEPS = {"speech": 16000, "style": 2500, "motion": 1200, "codes": 2000}
_GENTLER = 1 / 3


def train(
    corpus_dir: str | Path, out: str | Path, steps: int | None = None, resume: bool = False, seed: int = 0,
    channels: int = 256, start: str | Path | None = None, stages: Sequence[str] = tuple(STEPS),
    splits: Sequence[str] = ("train",), contrast: float = speech_stage.CONTRAST,
    by_codes: Sequence[str] | None = None, report=print,
) -> dict:  # fmt: skip
    """Train and write weights to `out`.

    Args:
        steps: of every stage; None for those of `STEPS`.
        resume: take up stages whose state lies beside `out`; finished ones are passed by.
        start: weights to go on from, at a third of the learning rate (fine-tuning, e.g. to filmed people); else new.
        stages: which of `STEPS`, in order; without "speech" the parts of `out` itself are gone on with.
        splits: of the corpus; ("train", "release") for the weights that ship.
        contrast: weight of the contrastive speech loss; 0 leaves it out.
        by_codes: what the weights are to make by codes, once they can: of "expression" and "head"; None: as before.

    Returns:
        {"steps", "losses", "seconds"}: of this call; losses per stage.

    Raises:
        ErlnetError: the corpus or a state is unusable, the output cannot be written, or the loss is not finite.
    """
    out, started = Path(out), time.monotonic()
    unknown = [name for name in stages if name not in STEPS]
    if unknown:
        raise ErlnetError(f"No training stage {unknown[0]!r}", "", f"choose from {', '.join(STEPS)}")
    unknown = [name for name in by_codes or () if name not in WAYS]
    if unknown:
        raise ErlnetError(f"Nothing named {unknown[0]!r} is made by codes", "", f"choose from {', '.join(WAYS)}")
    corpus = SpeechCorpus(corpus_dir)
    batches = Batches(prepare(corpus, seed, report, splits=splits))
    torch.manual_seed(seed)
    base = start if start is not None else (out if "speech" not in stages else None)
    network, earlier = _network(base, channels)
    rate = _GENTLER if start is not None else 1.0
    notes = {"splits": list(splits), "contrast": contrast, **network.size}
    made = {**earlier, **notes, "seed": seed, "corpus": corpus.index.get("made_by", "unknown"), "trained_steps": {}}
    made["command"] = _command(out, steps, seed, start, stages, splits, contrast)
    made["trained_steps"] = dict(earlier.get("trained_steps", {}))
    steps_done, losses = 0, {}
    for name in STEPS:
        if name not in stages:
            continue
        torch.manual_seed(seed)  # what a stage begins with must not hang on whether the one before was resumed
        stage = _stage(name, network, batches, steps or STEPS[name], rate, contrast, seed)
        if by_codes is not None and network.code_predictor is not None:
            network.by_codes = tuple(by_codes)
        run = Run(stage, out.with_suffix(f".{name}.state.safetensors"), seed, notes)
        if resume and run.state_path.is_file():
            run.load()
        first = run.step

        def save(average: dict[str, torch.Tensor], run: Run = run, name: str = name) -> None:
            made["trained_steps"][name] = run.step
            weights = {key: average.get(key, tensor) for key, tensor in network.state_dict().items()}
            save_weights(out, network, weights, made)

        run.go(save, report)
        save(run.average)
        network.load_state_dict({**network.state_dict(), **_shipped(run.average, network)})
        steps_done, losses[name] = steps_done + run.step - first, run.smooth_loss
    if corpus.entries("development"):
        calibration = calibrate(corpus_dir, out)
        report(f"closure threshold {calibration['closure_threshold']}, gains {calibration['gains']}", flush=True)
    return {"steps": steps_done, "losses": losses, "seconds": time.monotonic() - started}


def _network(base: str | Path | None, channels: int) -> tuple[SpeechToFaceNetwork, dict]:
    """New or trained parts, and what is to be remembered of the training of the latter."""
    if base is None:
        return SpeechToFaceNetwork(channels), {}
    network, metadata = load_network(base)
    told = ("seed", "trained_steps", "command", "corpus")
    return network, {"started_from": {key: metadata[key] for key in told if key in metadata}}


def _stage(
    name: str, network: SpeechToFaceNetwork, batches: Batches, steps: int, rate: float, contrast: float, seed: int
) -> Stage:  # fmt: skip
    if name == "speech":
        return speech_stage.SpeechStage(network.speech, batches, steps, rate * speech_stage.LEARNING_RATE, contrast)
    if name == "motion":
        rate *= motion_stage.LEARNING_RATE
        return motion_stage.MotionStage(network, Teacher(batches.data, seed), steps, rate, seed)
    teacher = Teacher(batches.data, seed, network.speech)
    if name == "style":
        return style_stage.StyleStage(network, teacher, steps, rate * style_stage.LEARNING_RATE)
    return code_stage.CodeStage(network, teacher, steps, rate * code_stage.LEARNING_RATE, seed)


def _shipped(average: dict[str, torch.Tensor], network: SpeechToFaceNetwork) -> dict[str, torch.Tensor]:
    """The averaged weights that are part of the network; what only training needs stays behind."""
    return {key: tensor for key, tensor in average.items() if key in network.state_dict()}


def _command(
    out: Path, steps: int | None, seed: int, start: str | Path | None, stages: Sequence[str], splits: Sequence[str],
    contrast: float,
) -> str:  # fmt: skip
    command = f"erlnet train speech CORPUS -o {out.name} --seed {seed}"
    if steps is not None:
        command += f" --steps {steps}"
    if start is not None:
        command += f" --start {Path(start).name}"
    if tuple(stages) != tuple(STEPS):
        command += f" --stages {','.join(stages)}"
    if tuple(splits) != ("train",):
        command += f" --splits {','.join(splits)}"
    if contrast != speech_stage.CONTRAST:
        command += f" --contrast {contrast:g}"
    return command
