"""Does generated motion carry the style of a few seconds of reference motion that nobody has seen before?

Styles are those of `style.catalogue`, their motion is made by rule. A reference of 4 s is saved as a FaceTrack, as a
user would have one; the model speaks other sentences in its style; what is measured is measured in FaceTracks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....face_track import FaceTrack
from ...flame.correspondence import default_head
from ..articulation import CHANNEL_RATE_HZ, EXPRESSION, SHAPES, column, mouth_of
from ..closure import runs
from ..corpus.augmentation import Example
from ..other_heads import spoken
from ..predictor import SpeechToFace
from ..style.catalogue import TEST_STYLES, TRAINING_STYLES, Motion, Style, motion_in, random_style
from .cases import performed

REFERENCE_S, LONG_REFERENCE_S, GENERATED_S = 4.0, 60.0, 20.0
CANDIDATES = 20
_DRAWS = 50
_MORE_TRAINING_STYLES = 352
_LONG_STYLES = 24
_LEAST_SPEECH = 0.7
_GRID = 25
_RIDGE = 0.02
_AXES = ("pitch", "yaw", "roll")
# Named statistic to the factor of the issue that it stands for; each is averaged over what is listed.
STATISTICS = {
    "jaw": ("jaw std",), "pucker": ("pucker std",), "stretch": ("stretch std",),
    "smile_mean": ("smile mean",), "brow_mean": ("brow_raise mean",),
    "head_mean": tuple(f"{axis} mean" for axis in _AXES), "head_amplitude": tuple(f"{axis} std" for axis in _AXES),
    "brow_dynamics": ("brow_raise std",), "smile_dynamics": ("smile std",),
}  # fmt: skip


Statistics = dict[str, float]
"""Statistics of a motion by name; `features` says which."""


@dataclass(frozen=True)
class Seen:
    """What a FaceTrack at 50 frames a second shows: mouth (T, 21), head (T, 3) and gaze (T, 6) radians, eyelids (T, 2);
    and speaking (T,) bool, which the corpus knows."""

    mouth: np.ndarray
    head: np.ndarray
    gaze: np.ndarray
    eyelids: np.ndarray
    speaking: np.ndarray


def seen_in(track: FaceTrack, phones: np.ndarray) -> Seen:
    """A track of the default head, during (T,) phones."""
    mouth, _ = mouth_of(track.jaw_pose, track.expr, default_head().expression_names)
    count = min(len(mouth), len(phones))
    curves = (mouth, track.rotation + track.neck_pose, track.eyes_pose, track.eyelids)
    return Seen(*(curve[:count] for curve in curves), phones[:count] > 0)


def track_of(motion: Motion) -> FaceTrack:
    """Rule-made motion as a FaceTrack of the default head at 50 frames a second."""
    head = default_head()
    face = spoken(motion.mouth, motion.eyelids, head)
    return FaceTrack(
        face.expr, CHANNEL_RATE_HZ, head.id, jaw_pose=face.jaw_pose, neck_pose=motion.head, eyes_pose=motion.gaze,
        eyelids=face.eyelids,
    )  # fmt: skip


def by_rule(style: Style, content: Example, seed: int) -> FaceTrack:
    """What the rules do with a stretch of the corpus in a style."""
    return track_of(motion_in(style, content.motion, content.accents, (content.phones > 0).astype(np.float32), seed))


def features(seen: Seen) -> Statistics:
    """Statistics by name.

    Over speaking frames: mean and std of each of SHAPES and EXPRESSION, and ``rhythm``, its mean speed over its std,
    per second. Over all: mean, std (degrees) and rhythm of each axis of the head; mean and std of the gaze; blinks
    per minute.
    """
    found: dict[str, float] = {}
    for name in (*SHAPES, *EXPRESSION):
        found |= _of_curve(name, seen.mouth[:, column(name)], seen.speaking)
    everywhere = np.ones(len(seen.head), bool)
    for index, axis in enumerate(_AXES):
        found |= _of_curve(axis, np.rad2deg(seen.head[:, index]), everywhere)
    eyes = np.rad2deg(seen.gaze.reshape(-1, 2, 3).mean(1) + seen.head)
    found |= {f"gaze {axis} mean": float(eyes[:, index].mean()) for index, axis in enumerate(_AXES[:2])}
    found |= {f"gaze {axis} std": float(eyes[:, index].std()) for index, axis in enumerate(_AXES[:2])}
    minutes = len(seen.eyelids) / CHANNEL_RATE_HZ / 60
    found["blinks"] = len(runs(seen.eyelids.mean(1) > 0.5)) / minutes
    return found


def _of_curve(name: str, curve: np.ndarray, where: np.ndarray) -> dict[str, float]:
    if where.sum() < 2:
        return {f"{name} {what}": 0.0 for what in ("mean", "std", "rhythm")}
    std = float(curve[where].std())
    speed = float(np.abs(np.diff(curve))[where[1:]].mean()) * CHANNEL_RATE_HZ
    return {f"{name} mean": float(curve[where].mean()), f"{name} std": std, f"{name} rhythm": speed / (std + 1e-2)}


class Classifier:
    """Which reference a motion belongs to, learnt from pairs of motions in one style.

    The statistics of a motion given those of a reference are taken as Gaussian: their mean by linear regression
    (ridge), their covariance that of what it leaves unexplained, and of differences that nobody would see (`_slack`).
    A motion goes to the reference under which it is likeliest.

    Args:
        references, motions: statistics of pairs of the same style, P pairs.
        without: names of statistics (or their first words) that are kept from it.
    """

    def __init__(self, references: list[Statistics], motions: list[Statistics], without: Iterable[str] = ()) -> None:
        hidden = set(without)
        self.names = [name for name in references[0] if name not in hidden and name.split()[0] not in hidden]
        told, shown = self._table(references), self._table(motions)
        slack = np.array([_slack(name) for name in self.names])
        self.middle, self.scale = told.mean(0), np.maximum(told.std(0), slack)
        inputs = self._inputs(told)
        square = inputs.T @ inputs + _RIDGE * len(inputs) * np.diag(np.r_[np.ones(len(self.names)), 0])
        self.weights = np.linalg.solve(square, inputs.T @ shown)
        left = shown - inputs @ self.weights
        covariance = np.cov(left.T)
        covariance += _RIDGE * np.diag(np.diag(covariance)) + np.diag(slack**2)
        self.precision = np.linalg.inv(covariance)

    def distances(self, references: list[Statistics], motions: list[Statistics]) -> np.ndarray:
        """(M, R) squared Mahalanobis distance of each motion from what each reference lets expect."""
        expected = self._inputs(self._table(references)) @ self.weights
        off = self._table(motions)[:, None] - expected[None]
        return np.einsum("mrf,fg,mrg->mr", off, self.precision, off)

    def _table(self, rows: list[Statistics]) -> np.ndarray:
        """(N, F); spreads as logarithms."""
        table = np.array([[row[name] for name in self.names] for row in rows])
        spreads = [index for index, name in enumerate(self.names) if name.endswith(" std")]
        table[:, spreads] = np.log(table[:, spreads] + 1e-2)
        return table

    def _inputs(self, table: np.ndarray) -> np.ndarray:
        return np.c_[(table - self.middle) / self.scale, np.ones(len(table))]


def _slack(name: str) -> float:
    """A difference that does not count: 3 % of a full movement, half a degree, a tenth of a spread or of a rhythm."""
    if name == "blinks":
        return 3.0
    subject, what = name.rsplit(" ", 1)
    if what == "mean":
        return 0.5 if subject.split()[-1] in _AXES else 0.03
    return {"std": 0.1, "rhythm": 0.4}[what]


GIVEAWAYS = ("pitch mean", "yaw mean", "roll mean", "gaze", "smile")
"""Where the head and the eyes rest, and all of the smile: what gives a style away without amplitude or rhythm."""
_STATIC = tuple(f"{name} mean" for name in EXPRESSION if name != "brow_raise")


def accuracy(distances: np.ndarray) -> float:
    """How often (S, S) distances put motion i nearest to reference i, among that and 19 others drawn 50 times."""
    random, count = np.random.default_rng(0), len(distances)
    right = 0
    for _ in range(_DRAWS):
        for target in range(count):
            others = np.delete(np.arange(count), target)
            rivals = random.choice(others, min(CANDIDATES, count) - 1, replace=False)
            right += bool((distances[target, rivals] > distances[target, target]).all())
    return right / (_DRAWS * count)


class Stretches:
    """Stretches of recordings in a row, of a wanted length, at least seven tenths of it speech where there are such."""

    def __init__(self, whole: Example) -> None:
        self.whole = whole

    def take(self, seconds: float, count: int, offset: int = 0) -> list[Example]:
        """`count` stretches, spread over the whole; another `offset` gives others."""
        frames = round(seconds * CHANNEL_RATE_HZ)
        starts = np.arange(0, max(1, len(self.whole.motion) - frames + 1), _GRID)
        said = np.array([np.mean(self.whole.phones[start : start + frames] > 0) for start in starts])
        good = starts[said >= _LEAST_SPEECH] if (said >= _LEAST_SPEECH).any() else starts[[said.argmax()]]
        chosen = good[(np.linspace(0, len(good), count, endpoint=False).astype(int) + offset) % len(good)]
        return [_part(self.whole, start, frames) for start in chosen]


def _part(whole: Example, start: int, frames: int) -> Example:
    hop = 16000 // CHANNEL_RATE_HZ
    rows = slice(start, start + frames)
    samples = whole.samples[start * hop : (start + frames) * hop]
    return Example(samples, whole.motion[rows], whole.phones[rows], whole.accents[rows])


def trained_pairs(training: Example, more: int = _MORE_TRAINING_STYLES) -> tuple[list[Statistics], list[Statistics]]:
    """Statistics of 4 s and of 20 s of other speech, by rule, in each training style and `more` drawn as they are."""
    random = np.random.default_rng(3)
    styles = [*TRAINING_STYLES, *(random_style(random) for _ in range(more))]
    stretches = Stretches(training)
    pairs = zip(
        stretches.take(REFERENCE_S, len(styles)), stretches.take(GENERATED_S, len(styles), len(styles) // 2),
        strict=True,
    )  # fmt: skip
    references, motions = [], []
    for number, (style, (short, long)) in enumerate(zip(styles, pairs, strict=True)):
        references.append(features(seen_in(by_rule(style, short, 2 * number), short.phones)))
        motions.append(features(seen_in(by_rule(style, long, 2 * number + 1), long.phones)))
    return references, motions


def style_figures(model: SpeechToFace, training: Example, told: Example, said: Example) -> dict:
    """The part `style` of the report.

    Args:
        training: training recordings in a row, for the classifier; told: those that references say; said: others,
            that the model is to say in their style.
    """
    count = len(TEST_STYLES)
    short, long = (Stretches(told).take(seconds, count) for seconds in (REFERENCE_S, LONG_REFERENCE_S))
    other = Stretches(said).take(GENERATED_S, count)

    def ruled(parts: list[Example], seed: int) -> list[FaceTrack]:
        return [by_rule(style, part, seed + n) for n, (style, part) in enumerate(zip(TEST_STYLES, parts, strict=True))]

    def shown(tracks: list[FaceTrack], parts: list[Example]) -> list[Statistics]:
        return [features(seen_in(track, part.phones)) for track, part in zip(tracks, parts, strict=True)]

    references, lasting = ruled(short, 100), ruled(long, 500)
    generated = [performed_in(model, references[n], part, n) for n, part in enumerate(other)]
    of_reference, of_generated = shown(references, short), shown(generated, other)
    of_ruled, of_lasting = shown(ruled(other, 300), other), shown(lasting, long)
    pairs = trained_pairs(training)
    accuracies, ceilings = {}, {}
    for name, without in (("all", ()), ("without_giveaways", GIVEAWAYS), ("moving", (*GIVEAWAYS, *_STATIC))):
        classifier = Classifier(*pairs, without)
        accuracies[name] = accuracy(classifier.distances(of_reference, of_generated))
        ceilings[name] = accuracy(classifier.distances(of_reference, of_ruled))
    return {
        "style_accuracy": accuracies["all"],
        "style": {
            "styles": count,
            "candidates": CANDIDATES,
            "accuracy": accuracies,
            "accuracy_of_rules": ceilings,
            "correlation": correlation(of_generated, of_reference),
            "correlation_60s": correlation(of_generated, of_lasting),
            "correlation_same_speech": correlation(of_generated, of_ruled),
            "correlation_of_rules": correlation(of_ruled, of_reference),
            "blink_rate_correlation": _blinks(model, lasting[:_LONG_STYLES], of_lasting, Stretches(said)),
        },
    }


def performed_in(model: SpeechToFace, reference: FaceTrack, content: Example, seed: int) -> FaceTrack:
    """What a user gets who gives the model this reference as a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reference.npz"
        reference.save(path)
        return performed(model, content.samples, str(path), seed)


def correlation(ours: list[Statistics], theirs: list[Statistics]) -> dict[str, float]:
    """Over styles, Pearson's r of each of `STATISTICS`, averaged over what it lists."""

    def of(name: str) -> float:
        return float(np.corrcoef([row[name] for row in ours], [row[name] for row in theirs])[0, 1])

    return {title: float(np.mean([of(name) for name in names])) for title, names in STATISTICS.items()}


def _blinks(model: SpeechToFace, references: list[FaceTrack], known: list[Statistics], said: Stretches) -> float:
    """Correlation over styles of the blink rate in 60 s generated with that in references of 60 s."""
    parts = said.take(LONG_REFERENCE_S, len(references))
    rates = []
    for number, (track, part) in enumerate(zip(references, parts, strict=True)):
        lids = performed_in(model, track, part, number).eyelids
        rates.append(len(runs(lids.mean(1) > 0.5)))
    return float(np.corrcoef(rates, [row["blinks"] for row in known[: len(rates)]])[0, 1])
