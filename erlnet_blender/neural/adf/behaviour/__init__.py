"""Head, eyelids, gaze and breath at 50 Hz: rules with a seed, steered by the style and by what the network hears.

Every factor of the style may be a number or a curve. Memory and time are linear in the length, with small constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..closure import rest_gate
from ..style.factors import Curve
from .blinks import blinks
from .breath import inhales
from .gaze import gaze
from .head import head_rotation


@dataclass(frozen=True)
class Behaviour:
    """What goes on beside the speech: head (T, 3) and eyes (T, 6) radians, eyelids (T, 2), breath (T,) 0..1."""

    head: np.ndarray
    eyes: np.ndarray
    eyelids: np.ndarray
    breath: np.ndarray


def behave(
    style: Mapping[str, Curve], accents: np.ndarray, speaking: np.ndarray, seed: int, head: np.ndarray | None = None
) -> Behaviour:
    """Head, eyes, eyelids and breath of somebody who speaks so.

    Args:
        style: factor values (`style.factors.values_of`), each a number or (T,).
        accents, speaking: (T,) 0..about 1, at 50 Hz, as the network hears them.
        seed: the same gives the same.
        head: (T, 3) radians of another source, which the eyes are to make up for; None: by rule.
    """
    talking = rest_gate(speaking)
    turn = head_rotation(style, accents, talking, seed) if head is None else head
    eyes, shifts = gaze(style, turn, talking, seed)
    return Behaviour(turn, eyes, blinks(style, talking, shifts, seed), inhales(talking))
