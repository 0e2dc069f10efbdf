"""Which lip closures to believe, and when the mouth rests: curves at 50 Hz in, curves at 50 Hz out (numpy)."""

from __future__ import annotations

import numpy as np

from .articulation import CHANNEL_RATE_HZ

SHORTEST_CLOSURE_S = 0.04
DISBELIEVED = 0.4
"""How much of a closure that is not believed stays: the lips approach, as for a vowel next to one, and do not meet."""
_REST_LIKELY = 0.55
_SHORTEST_REST_S = 0.16
_SHORTEST_SPEECH_S = 0.10
_REST_START_S, _REST_END_S = 0.10, 0.08


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of every stretch of true values; end is exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def smoothstep(x: np.ndarray) -> np.ndarray:
    """3x² - 2x³ on 0..1, held outside."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def plateau(count: int, stretches: list[tuple[int, int]], attack_s: float, release_s: float) -> np.ndarray:
    """(count,) 1 inside the stretches (frames), with smooth ramps outside them."""
    curve = np.zeros(count, np.float32)
    attack, release = attack_s * CHANNEL_RATE_HZ, release_s * CHANNEL_RATE_HZ
    for start, end in stretches:
        low, high = max(0, int(start - attack) - 1), min(count, int(end + release) + 2)
        frames = np.arange(low, high)
        ramp = np.minimum(1 - (start - frames) / attack, 1 - (frames - (end - 1)) / release)
        curve[low:high] = np.maximum(curve[low:high], smoothstep(ramp))
    return curve


def believed_closures(closure: np.ndarray, bilabial: np.ndarray, threshold: float) -> np.ndarray:
    """Closures that both the motion head and the phone head see, made whole; the others only hint.

    Args:
        closure: (T,) probability of sealed lips; bilabial: (T,) probability of m, b or p.
        threshold: on the geometric mean of both.

    Returns:
        (T,) 1 where the lips are sealed, with ramps of 60 and 50 ms; at most `DISBELIEVED` elsewhere.
    """
    sealed = _long_enough(np.sqrt(closure * bilabial) > threshold)
    return np.maximum(plateau(len(closure), sealed, 0.06, 0.05), DISBELIEVED * closure).astype(np.float32)


def believed_tucks(tuck: np.ndarray, threshold: float) -> np.ndarray:
    """(T,) 1 where the lower lip is at the teeth, with ramps of 70 and 60 ms; at most `DISBELIEVED` elsewhere.

    Args:
        tuck: (T,) probability of it; where it is above `threshold` for long enough it is believed.
    """
    made = _long_enough(tuck > threshold)
    return np.maximum(plateau(len(tuck), made, 0.07, 0.06), DISBELIEVED * tuck).astype(np.float32)


def _long_enough(mask: np.ndarray) -> list[tuple[int, int]]:
    shortest = round(SHORTEST_CLOSURE_S * CHANNEL_RATE_HZ)
    return [(start, end) for start, end in runs(mask) if end - start >= shortest]


def rest_gate(speaking: np.ndarray) -> np.ndarray:
    """(T,) 1 while somebody speaks, 0 where the mouth rests, from the probability of speech.

    Only pauses of 160 ms and more let the mouth come to rest; it does so within about 100 ms. What is heard for less
    than 100 ms is no speech but a click, or the edge of a recording.
    """
    shortest = round(_SHORTEST_REST_S * CHANNEL_RATE_HZ)
    wait = round(0.04 * CHANNEL_RATE_HZ)
    speaking = np.array(speaking, np.float32)
    for start, end in runs(1 - speaking <= _REST_LIKELY):
        if end - start < _SHORTEST_SPEECH_S * CHANNEL_RATE_HZ:
            speaking[start:end] = 0
    pauses = [
        (start + wait if start else 0, end - wait if end < len(speaking) else end)
        for start, end in runs(1 - speaking > _REST_LIKELY)
        if end - start >= shortest
    ]
    return 1 - plateau(len(speaking), pauses, _REST_START_S, _REST_END_S)
