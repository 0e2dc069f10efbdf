"""Where to cut a recording: in its pauses, into clips of at most 15 s."""

from __future__ import annotations

import numpy as np

from ...articulation import CHANNEL_RATE_HZ
from ...closure import runs

LONGEST_S = 15.0
_AROUND_S = 0.25
_BRIDGED_S = 1.0
_SHORTEST_SPEECH_S = 0.5


def clips_of(gate: np.ndarray, end_s: float) -> list[tuple[float, float]]:
    """(start_s, end_s) of the clips of a recording, multiples of 20 ms, with up to 0.25 s of pause at both ends.

    Pauses of up to a second stay inside. Where nobody pauses for 15 s the cut is at the weakest moment of the last
    third. What holds less than half a second of speech is left out.

    Args:
        gate: (T,) at 50 Hz, 1 while speaking, 0 at rest; end_s: where sound or track ends.
    """
    rate, longest = CHANNEL_RATE_HZ, int(LONGEST_S * CHANNEL_RATE_HZ)
    gate = gate[: int(end_s * rate)]
    around = int(_AROUND_S * rate)
    stretches: list[list[int]] = []
    for start, end in runs(gate > 0.5):
        low, high = max(0, start - around), min(len(gate), end + around)
        if (
            stretches
            and low - stretches[-1][1] <= _BRIDGED_S * rate - 2 * around
            and high - stretches[-1][0] <= longest
        ):
            stretches[-1][1] = high
        else:
            low = max(low, stretches[-1][1]) if stretches else low
            stretches.append([low, high])
    clips = []
    for low, high in stretches:
        while high - low > longest:
            third = longest * 2 // 3
            cut = low + third + int(np.argmin(gate[low + third : low + longest]))
            clips.append((low, cut))
            low = cut
        clips.append((low, high))
    return [
        (low / rate, high / rate) for low, high in clips if (gate[low:high] > 0.5).sum() >= _SHORTEST_SPEECH_S * rate
    ]
