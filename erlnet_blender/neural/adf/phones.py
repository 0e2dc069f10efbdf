"""Which phone is said when: the likeliest sequence of classes through what is heard at each instant (numpy)."""

from __future__ import annotations

import numpy as np

from .articulation import CHANNEL_RATE_HZ

SWITCH_COST = 1.5
"""How much less likely, as a logarithm, a sequence is for every change: keeps classes from flickering."""


def phone_starts(chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each phone begins, by the Viterbi algorithm over classes that are as likely to follow each other.

    Args:
        chances: (T, 33) of PHONE_CLASSES at 50 Hz.

    Returns:
        (P,) seconds, the first of them 0, and (P,) uint8 classes, no two alike after each other.
    """
    count, classes = chances.shape
    if not count:
        return np.zeros(0), np.zeros(0, np.uint8)
    score = np.log(np.maximum(chances, 1e-6))
    came_from = np.zeros((count, classes), np.int16)
    best, same = score[0].copy(), np.arange(classes)
    for index in range(1, count):
        leader = int(best.argmax())
        switched = best[leader] - SWITCH_COST > best
        came_from[index] = np.where(switched, leader, same)
        best = np.where(switched, best[leader] - SWITCH_COST, best) + score[index]
    path = np.zeros(count, np.uint8)
    path[-1] = best.argmax()
    for index in range(count - 1, 0, -1):
        path[index - 1] = came_from[index, path[index]]
    begins = np.flatnonzero(np.concatenate([[True], path[1:] != path[:-1]]))
    return begins / CHANNEL_RATE_HZ, path[begins]


def joined(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One row of phones of pieces that follow each other; a phone that goes on in the next piece is one."""
    if not pieces:
        return np.zeros(0), np.zeros(0, np.uint8)
    starts, classes = (np.concatenate([piece[index] for piece in pieces]) for index in range(2))
    new = np.concatenate([[True], classes[1:] != classes[:-1]])[: len(classes)]
    return starts[new], classes[new]
