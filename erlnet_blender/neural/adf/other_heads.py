"""Speech on a head whose expressions have no names, such as FLAME's: what each expression of the default head is there.

Each expression that speech uses is refitted once (`neural.flame.refit`), the jaw's rotation too; after that a frame
costs one matrix product. A seal is refitted against the jaw that it undoes, since it must meet exactly there.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ...errors import ErlnetError
from ...face_track import FaceTrack
from ...formats.head_model import HeadModel
from ..flame.bounded import limits
from ..flame.correspondence import correspond, default_head, digest_of
from ..flame.refit import Transfer
from .articulation import SEALED_JAW_RAD, USED_EXPRESSIONS, expressions_of, jaw_pose_of

_LEFT_OUT = 0.4
"""An expression of which the head can show less than this share, in RMS, is reported as left out."""


@dataclass(frozen=True)
class ExpressionMap:
    """A linear map from the default head's speech to another head's coefficients.

    Args:
        expr: (I, E) and jaw: (I, 3), what each input adds: `USED_EXPRESSIONS`, two eyelids, a jaw of `SEALED_JAW_RAD`.
        low, high: (E,) limits of the coefficients.
        missing: the expressions that this head cannot show.
    """

    expr: np.ndarray
    jaw: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: list[str]

    def __call__(self, expr: np.ndarray, jaw_pose: np.ndarray, eyelids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, E) expressions and (N, 3) jaw of this head from the default head's, and from its eyelids (N, 2)."""
        inputs = np.concatenate([_used(expr), eyelids, jaw_pose[:, :1] / SEALED_JAW_RAD], 1)
        return np.clip(inputs @ self.expr, self.low, self.high), inputs @ self.jaw


@dataclass(frozen=True)
class Spoken:
    """Coefficients of a head, (N, E), (N, 3) and (N, 2), and the expressions that it lacks."""

    expr: np.ndarray
    jaw_pose: np.ndarray
    eyelids: np.ndarray
    missing: list[str]


def spoken(mouth: np.ndarray, eyelids: np.ndarray, head: HeadModel, breath: np.ndarray | float = 0.0) -> Spoken:
    """What channels (N, len(MOUTH)), eyelids (N, 2) and breath (N,) are on any head.

    A head that knows none of the expressions by name gets them through an `ExpressionMap`; if it cannot even be laid
    over the default head, its jaw moves alone.
    """
    jaw_pose = jaw_pose_of(mouth)
    if set(USED_EXPRESSIONS).isdisjoint(head.expression_names):
        try:
            translate = expression_map(head)
        except ErlnetError:
            pass
        else:
            expr, _ = expressions_of(mouth, default_head().expression_names, breath)
            folded = eyelids if head.eyelids is None else np.zeros_like(eyelids)
            return Spoken(*translate(expr, jaw_pose, folded), eyelids - folded, translate.missing)
    expr, missing = expressions_of(mouth, head.expression_names, breath)
    return Spoken(expr, jaw_pose, eyelids, missing)


_recent: OrderedDict[str, ExpressionMap] = OrderedDict()


def expression_map(head: HeadModel) -> ExpressionMap:
    """The map to a head; seconds for a new one, else remembered.

    Raises:
        ErlnetError: the head does not look like one.
    """
    key = digest_of(head, "expressiondirs", "posedirs")
    if key not in _recent:
        _recent[key] = _map_to(head)
        while len(_recent) > 4:
            _recent.popitem(last=False)
    return _recent[key]


def _map_to(head: HeadModel) -> ExpressionMap:
    source = default_head()
    inputs = len(USED_EXPRESSIONS) + 3
    expr = np.zeros((inputs, len(source.expression_names)), np.float32)
    for row, name in enumerate(USED_EXPRESSIONS):
        expr[row] = source.expression({name: 1.0})
    jaw, lids = np.zeros((inputs, 3), np.float32), np.zeros((inputs, 2), np.float32)
    seal = USED_EXPRESSIONS.index("mouth_close")
    jaw[[seal, -1], 0] = SEALED_JAW_RAD
    lids[-3:-1] = np.eye(2)
    transfer = Transfer.between(source, head, correspond(source, head), np.zeros(0))
    solved = transfer.solve(FaceTrack(expr, 25, source.id, jaw_pose=jaw, eyelids=lids))
    found, turned, _, off, moved = (part.numpy() for part in solved)
    found[seal], turned[seal] = found[seal] - found[-1], turned[seal] - turned[-1]
    shown = 1 - np.sqrt(off.sum(1) / np.maximum(moved.sum(1), 1e-12))
    missing = [name for name, share in zip(USED_EXPRESSIONS, shown, strict=False) if share < _LEFT_OUT]
    low, high = (limit.numpy() for limit in limits(head))
    return ExpressionMap(found, turned, low, high, missing)


def _used(expr: np.ndarray) -> np.ndarray:
    names = default_head().expression_names
    return expr[:, [names.index(name) for name in USED_EXPRESSIONS]]
