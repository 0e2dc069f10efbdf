"""What each part of ADF buys, in one table: ``python -m benchmarks.adf_ablation CORPUS WEIGHTS``.

WEIGHTS have all parts (stages speech, style, motion and codes). From them, variants are trained equally long, all else
alike; a training that was killed goes on, and what is measured already is not measured again (``-o``, default
build/ablation). Measured is on the development split in styles that training never sees: the style of 4 s
of reference, on 20 s of other speech, against what the rules do with that speech in that style.

``--speech NAME=FILE`` adds rows for other weights as they are, such as some trained with ``--contrast 0``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from erlnet_blender.neural.adf.articulation import CHANNEL_RATE_HZ, EXPRESSION, SHAPES, column
from erlnet_blender.neural.adf.behaviour import head_rotation
from erlnet_blender.neural.adf.checkpoint import load_network
from erlnet_blender.neural.adf.corpus.augmentation import Example, plain
from erlnet_blender.neural.adf.corpus.folder import SpeechCorpus
from erlnet_blender.neural.adf.corpus.preparation import prepare
from erlnet_blender.neural.adf.evaluation.cases import in_a_row
from erlnet_blender.neural.adf.evaluation.style import REFERENCE_S, Seen, Stretches, by_rule, correlation, features
from erlnet_blender.neural.adf.evaluation.sync import Spoken, beat_alignment, stresses
from erlnet_blender.neural.adf.motion import factors_of, head_motion, head_units
from erlnet_blender.neural.adf.network import SpeechToFaceNetwork
from erlnet_blender.neural.adf.network.code_predictor import CodeTower
from erlnet_blender.neural.adf.network.vqvae import MotionVQ, perplexity
from erlnet_blender.neural.adf.predictor import Heard, SpeechToFace
from erlnet_blender.neural.adf.style.catalogue import TEST_STYLES, Motion, motion_in
from erlnet_blender.neural.adf.style.factors import BEHAVIOUR_COLUMNS, FACTORS, values_of
from erlnet_blender.neural.adf.style.measured import track_code
from erlnet_blender.neural.adf.training.motion_stage import MotionStage
from erlnet_blender.neural.adf.training.run import Run
from erlnet_blender.neural.adf.training.style_stage import CONTRAST, HABITS, StyleStage
from erlnet_blender.neural.adf.training.teacher import HEARD_SHARE, Teacher
from erlnet_blender.neural.flame.correspondence import default_head

GENERATED_S = 20.0
_STYLED = [column(name) for name in (*SHAPES, *EXPRESSION)]
_SHAPE_COLUMNS = [column(name) for name in SHAPES]
_LAGS_S = (0.2, 0.5, 1.0, 2.0)
_CLIPS, _WINDOWS = 400, 12


@dataclass
class Trial:
    """One unseen style: its reference's code by these weights, other speech as heard, and what the rules do with it."""

    code: np.ndarray
    example: Example
    heard: Heard
    truth: Motion


def trials_of(model: SpeechToFace, corpus: SpeechCorpus, count: int) -> list[Trial]:
    """`count` unseen styles, told by half of the development split, on speech of the other half."""
    halves = [corpus.entries("development")[part::2] for part in range(2)]
    told, said = (in_a_row([plain(corpus.read(entry)) for entry in half]) for half in halves)
    references = Stretches(told).take(REFERENCE_S, count)
    others = Stretches(said).take(GENERATED_S, count)
    trials = []
    for number, (style, reference, example) in enumerate(zip(TEST_STYLES, references, others, strict=False)):
        code, _ = track_code(by_rule(style, reference, number), default_head(), model.network)
        speaking = (example.phones > 0).astype(np.float32)
        truth = motion_in(style, example.motion, example.accents, speaking, 1000 + number)
        trials.append(Trial(code, example, model.listen(example.samples), truth))
    return trials


def expression_figures(model: SpeechToFace, trials: list[Trial], code_of: Callable = np.copy) -> dict[str, float]:
    """Mouth and brows; `code_of` may take parts of a style code away.

    error: root mean square over SHAPES and EXPRESSION, 1 = a full movement. correlation: mean over SHAPES.
    spread, speed: of SHAPES, over those of the truth; below 1 is less lively. style_*: over styles, correlation of
    statistics with the truth's (`evaluation.style`).
    """
    made, true = [], []
    for trial in trials:
        mouth = model.move(trial.heard, code_of(trial.code))
        count = min(len(mouth), len(trial.truth.mouth))
        made.append(mouth[:count])
        true.append(trial.truth.mouth[:count])
    ours, theirs = np.concatenate(made), np.concatenate(true)
    shapes = ours[:, _SHAPE_COLUMNS], theirs[:, _SHAPE_COLUMNS]
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(*(part.T for part in shapes), strict=True)]
    statistics = [
        [_statistics(trial, mouth, trial.truth.head) for trial, mouth in zip(trials, rows, strict=True)]
        for rows in (made, true)
    ]
    return {
        "error": float(np.sqrt(np.mean(np.square(ours - theirs)[:, _STYLED]))),
        "correlation": float(np.mean(correlations)),
        **_liveliness(*shapes),
        **{f"style_{name}": value for name, value in correlation(*statistics).items() if "head" not in name},
    }


def head_figures(turns: list[np.ndarray], trials: list[Trial]) -> dict[str, float]:
    """Head motion (T, 3) radians of each trial.

    spread, speed: as for expression. rhythm_off: mean difference of autocorrelations at 0.2, 0.5, 1 and 2 s from the
    truth's. style_*: as for expression. nods: beat alignment of nods with stressed syllables, by chance, and by how
    many standard deviations it is more (`evaluation.sync`).
    """
    true = [trial.truth.head for trial in trials]
    statistics = [
        [_statistics(trial, trial.truth.mouth, head) for trial, head in zip(trials, rows, strict=True)]
        for rows in (turns, true)
    ]
    aligned = beat_alignment(
        [Spoken(head, stresses(trial.example.accents)) for trial, head in zip(trials, turns, strict=True)]
    )
    centred = [np.concatenate([head - head.mean(0) for head in rows]) for rows in (turns, true)]
    rhythms = [np.mean([_rhythm(head) for head in rows], 0) for rows in (turns, true)]
    return {
        **_liveliness(*centred),
        "rhythm_off": float(np.abs(rhythms[0] - rhythms[1]).mean()),
        **{f"style_{name}": value for name, value in correlation(*statistics).items() if "head" in name},
        "nods": aligned["beat_alignment"],
        "nods_by_chance": aligned["beat_alignment_random"],
        "nods_sigmas": aligned["beat_alignment_sigmas"],
    }


def vq_figures(vq: MotionVQ, motion: Tensor) -> dict[str, float | str]:
    """How well codes tell motion: error (in the motion's units) and its share of the spread, codes used, perplexity."""
    with torch.no_grad():
        again, codes, _ = vq.eval()(motion)
    used = [perplexity(codes[..., level], vq.quantizer.codes) for level in range(vq.quantizer.levels)]
    error = (again - motion).square().mean().sqrt()
    return {
        "error": float(error),
        "share_of_spread": float(error / motion.var((0, 1)).mean().sqrt()),
        **_liveliness(again.flatten(0, 1).numpy(), motion.flatten(0, 1).numpy()),
        "codes": f"{vq.quantizer.levels} x {vq.quantizer.codes}",
        "used": " ".join(str(count) for count, _ in used),
        "perplexity": " ".join(f"{value:.0f}" for _, value in used),
    }


def _liveliness(made: np.ndarray, true: np.ndarray) -> dict[str, float]:
    moving = true.std(0) > 1e-3
    spread = made.std(0)[moving] / true.std(0)[moving]
    speed = np.diff(made, axis=0).std(0)[moving] / np.diff(true, axis=0).std(0)[moving]
    return {"spread": float(spread.mean()), "speed": float(speed.mean())}


def _rhythm(head: np.ndarray) -> np.ndarray:
    """(4, 3) autocorrelation of each axis at `_LAGS_S`."""
    unit = (head - head.mean(0)) / (head.std(0) + 1e-9)
    steps = [round(lag_s * CHANNEL_RATE_HZ) for lag_s in _LAGS_S]
    return np.array([(unit[:-step] * unit[step:]).mean(0) for step in steps])


def _statistics(trial: Trial, mouth: np.ndarray, head: np.ndarray) -> dict[str, float]:
    count = min(len(mouth), len(head), len(trial.example.phones))
    rest = trial.truth.gaze[:count], trial.truth.eyelids[:count]
    return features(Seen(mouth[:count], head[:count], *rest, trial.example.phones[:count] > 0))


class HeadRegression:
    """Trains a tower like the code predictor's to give the head's rotation itself (`run.Stage`): the direct way."""

    name = "head regression"

    def __init__(self, teacher: Teacher, stride: int, steps: int, rate: float) -> None:
        self.teacher, self.steps, self.learning_rate = teacher, steps, rate
        self.clips = teacher.head_clips(np.random.default_rng(4), _CLIPS)
        self.module = nn.ModuleDict({"tower": CodeTower(stride, 3 * stride, 1, BEHAVIOUR_COLUMNS)})

    def loss(self, random: np.random.Generator) -> Tensor:
        """One batch."""
        clips, places = self.clips.windows(random, _WINDOWS, 512)
        content = self.teacher.content(self.clips.rows_at(clips, places), random.random(_WINDOWS) < HEARD_SHARE)
        motion = regressed(self.module["tower"], *content, torch.from_numpy(self.clips.styles[clips]))
        error = motion - self.clips.motion_at(clips, places)
        return error.square().mean() + 4 * error.diff(dim=1).square().mean()


def regressed(tower: nn.Module, articulation: Tensor, accents: Tensor, speaking: Tensor, style: Tensor) -> Tensor:
    """(B, T, 3) head rotation in units of the style, from the tower of `HeadRegression`."""
    assert isinstance(tower, CodeTower)
    content = torch.cat([articulation, accents[..., None], speaking[..., None]], -1)
    motion = tower(tower.hear(content), tower.at_tokens(style))
    return motion.reshape(len(content), -1, 3)[:, : content.shape[1]]


class Ablation:
    """The rows of the tables, each measured once.

    Args:
        steps: of each variant that is trained here; styles: how many unseen ones to measure on.
    """

    def __init__(self, corpus_dir: Path, weights: Path, out: Path, steps: int, styles: int) -> None:
        self.corpus, self.weights, self.out = SpeechCorpus(corpus_dir), weights, out
        self.steps, self.styles = steps, styles
        out.mkdir(parents=True, exist_ok=True)
        self.model = SpeechToFace.load(weights)
        self.trials = trials_of(self.model, self.corpus, styles)
        self._teacher: Teacher | None = None

    @property
    def teacher(self) -> Teacher:
        """Training speech, as the weights hear it."""
        if self._teacher is None:
            self._teacher = Teacher(prepare(self.corpus, 0), 0, self.model.network.speech)
        return self._teacher

    def row(self, name: str, measure: Callable[[], dict]) -> dict:
        """Measure, or read what was measured before."""
        path = self.out / f"{name.replace(' ', '_').replace(',', '')}.json"
        if not path.is_file():
            path.write_text(json.dumps(measure(), indent=1) + "\n")
        return {"": name, **json.loads(path.read_text())}

    def tables(self, others: dict[str, Path]) -> dict[str, list[dict]]:
        """Title to rows."""
        return {"Expression": self._expression(others), "Head": self._head(), "VQ-VAEs": self._codes()}

    def _expression(self, others: dict[str, Path]) -> list[dict]:
        def by(way: tuple[str, ...], code_of: Callable = np.copy) -> dict:
            self.model.network.by_codes = way
            return expression_figures(self.model, self.trials, code_of)

        def without_residual(code: np.ndarray) -> np.ndarray:
            return np.where(np.arange(len(code)) < len(FACTORS), code, 0).astype(np.float32)

        rows = [
            self.row("direct", partial(by, ())),
            self.row("by codes", partial(by, ("expression",))),
            self.row("direct, no style", partial(by, (), np.zeros_like)),
            self.row("by codes, no style", partial(by, ("expression",), np.zeros_like)),
            self.row("direct, residual zero", partial(by, (), without_residual)),
        ]
        for contrast, habits in ((CONTRAST, HABITS), (0, HABITS), (CONTRAST, 0), (0, 0)):
            losses = [name for name, weight in (("contrastive", contrast), ("habits", habits)) if weight]
            name = f"direct, {self.steps} steps, style losses {' and '.join(losses) or 'none'}"
            rows.append(self.row(name, partial(self._style_variant, contrast, habits)))
        for name, path in others.items():
            model = SpeechToFace.load(path)
            rows.append(self.row(name, lambda m=model: expression_figures(m, trials_of(m, self.corpus, self.styles))))
        return rows

    def _style_variant(self, contrast: float, habits: float) -> dict:
        network, metadata = load_network(self.weights)
        torch.manual_seed(0)
        fresh = SpeechToFaceNetwork(**network.size)
        network.style_encoder, network.style_decoder = fresh.style_encoder, fresh.style_decoder
        stage = StyleStage(network, self.teacher, self.steps, 1.5e-3, contrast, habits)
        self._train(stage, f"style-{contrast:g}-{habits:g}")
        model = SpeechToFace(network.eval(), metadata)
        return expression_figures(model, trials_of(model, self.corpus, self.styles))

    def _head(self) -> list[dict]:
        network = self.model.network

        def curves(trial: Trial) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return trial.heard.articulation, trial.heard.accents, trial.heard.speaking

        def by_rules() -> list[np.ndarray]:
            return [head_rotation(values_of(trial.code), *curves(trial)[1:], n) for n, trial in enumerate(self.trials)]

        def by_codes(share: float) -> list[np.ndarray]:
            return [head_motion(network, *curves(trial), share * trial.code, n) for n, trial in enumerate(self.trials)]

        ways = {"by rule": by_rules, "by codes": partial(by_codes, 1.0), "by codes, no style": partial(by_codes, 0.0)}
        rows = [self.row(f"head {name}", lambda w=way: head_figures(w(), self.trials)) for name, way in ways.items()]
        rows.append(self.row(f"head direct, {self.steps} steps", self._regression))
        return rows

    def _regression(self) -> dict:
        assert self.model.network.head_vq is not None
        torch.manual_seed(0)
        stage = HeadRegression(self.teacher, self.model.network.head_vq.stride, self.steps, 1.5e-3)
        self._train(stage, "head-direct")
        turns = []
        for trial in self.trials:
            curves = (trial.heard.articulation, trial.heard.accents, trial.heard.speaking, trial.code)
            with torch.no_grad():
                motion = regressed(stage.module["tower"], *(torch.from_numpy(curve)[None] for curve in curves))
            mean, unit = head_units(factors_of(trial.code))
            turns.append(np.deg2rad(mean + unit * motion[0].numpy()))
        return head_figures(turns, self.trials)

    def _codes(self) -> list[dict]:
        network = self.model.network
        assert network.expression_vq is not None
        assert network.head_vq is not None
        expression, head = network.expression_vq, network.head_vq
        stage = MotionStage(network, self.teacher, 1, 0.0, seed=1)
        random = np.random.default_rng(99)
        return [
            self.row("VQ expression", lambda: vq_figures(expression, stage.expression(random, 32, 1000))),
            self.row("VQ head", lambda: vq_figures(head, torch.from_numpy(np.stack(stage.clips.motion[:64])))),
        ]

    def _train(self, stage: StyleStage | HeadRegression, name: str) -> None:
        """Train to the end, going on from where an earlier call was stopped; the averaged weights stay in the stage."""
        run = Run(stage, self.out / f"{name}.state.safetensors", 0, {})
        if run.state_path.is_file():
            run.load()
        run.go(lambda average: None, print)
        stage.module.load_state_dict(run.average)
        stage.module.eval()


def markdown(tables: dict[str, list[dict]]) -> str:
    """The tables as text."""
    lines = []
    for title, rows in tables.items():
        columns = list(rows[0])
        lines += [f"## {title}", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        for row in rows:
            cells = [row[name] if isinstance(row[name], str) else f"{row[name]:.3f}" for name in columns]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("build/ablation"))
    parser.add_argument("--steps", type=int, default=1200, help="of each variant that is trained")
    parser.add_argument("--styles", type=int, default=32, help="unseen styles to measure on (48 at most)")
    parser.add_argument("--speech", action="append", default=[], metavar="NAME=FILE", help="other weights, as they are")
    given = parser.parse_args()
    torch.set_num_threads(1)
    others = {name: Path(path) for name, path in (text.split("=", 1) for text in given.speech)}
    ablation = Ablation(given.corpus, given.weights, given.out, given.steps, given.styles)
    text = markdown(ablation.tables(others))
    (given.out / "ablation.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
