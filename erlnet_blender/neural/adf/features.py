"""The front end: log-mel spectra at 100 Hz, relative to the loudness of the recording.

80 triangular mel filters (O'Shaughnessy 1987: mel = 2595 log10(1 + f / 700)) from 30 to 7800 Hz over a 25 ms Hann
window, of 16 kHz sound. Frame i is centred at i / 100 s. The reference level is that of the loud frames (95 %),
so a quiet recording and a loud one look the same; 50 dB below it is the floor.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE_HZ = 16000
MEL_RATE_HZ = 100
MEL_BANDS = 80
HOP = SAMPLE_RATE_HZ // MEL_RATE_HZ
_WINDOW, _FFT = 400, 512
LOWEST_HZ, HIGHEST_HZ = 30.0, 7800.0
_LOUD_QUANTILE = 0.95
_FLOOR = 1e-5
# Mean mel power of white noise at -70 dBFS: what is quieter than this all along is silence, not quiet speech.
QUIETEST_REFERENCE = 1.5e-5


def mel_of_hz(frequency_hz: np.ndarray | float) -> np.ndarray:
    """Mel scale."""
    return 2595 * np.log10(1 + np.asarray(frequency_hz) / 700)


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    edges_mel = np.linspace(mel_of_hz(LOWEST_HZ), mel_of_hz(HIGHEST_HZ), MEL_BANDS + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.arange(_FFT // 2 + 1) * SAMPLE_RATE_HZ / _FFT
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    weights = np.clip(np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)), 0, None)
    # Filters at the bottom are narrower than a bin of the spectrum.
    for index in np.flatnonzero(weights.sum(1) == 0):
        weights[index, np.abs(bins_hz - edges_hz[index + 1]).argmin()] = 1
    return torch.tensor(weights / weights.sum(1, keepdims=True), dtype=torch.float32)


def mel_power(samples: np.ndarray) -> Tensor:
    """(len(samples) // 160, 80) mel power of 16 kHz samples; beyond both ends the sound is taken as silent."""
    return _spectrum(samples) @ _filters().T


def mean_power(samples: np.ndarray) -> Tensor:
    """(len(samples) // 160,) the mean of `mel_power` over its bands, at a third of the cost."""
    return _spectrum(samples) @ _filters().mean(0)


def _spectrum(samples: np.ndarray) -> Tensor:
    """(len(samples) // 160, 257) power spectrum."""
    signal = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    count = len(signal) // HOP
    if count == 0:
        return torch.zeros(0, _FFT // 2 + 1)
    padded = torch.nn.functional.pad(signal[None], (_WINDOW // 2, _WINDOW))[0]
    frames = padded.unfold(0, _WINDOW, HOP)[:count]
    # A constant offset is no sound, yet the window would spread it over the lowest bands.
    frames = (frames - frames.mean(-1, keepdim=True)) * torch.hann_window(_WINDOW)
    spectrum = torch.fft.rfft(frames, _FFT)
    return spectrum.real.square().add_(spectrum.imag.square())


def reference_level(frame_power: Tensor) -> float:
    """The level of the loud frames, from (N,) mean mel power."""
    if not len(frame_power):
        return QUIETEST_REFERENCE
    rank = min(len(frame_power) - 1, int(_LOUD_QUANTILE * len(frame_power)))
    return max(QUIETEST_REFERENCE, float(frame_power.kthvalue(rank + 1).values))


def log_mel(power: Tensor, reference: float) -> Tensor:
    """Mel power as the network reads it: about -1.5 (floor, -50 dB) to 1.5."""
    return torch.log10(power / reference + _FLOOR) * 0.5 + 1.0
