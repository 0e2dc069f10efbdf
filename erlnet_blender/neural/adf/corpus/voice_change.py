"""Another speaker from a recording: fundamental frequency and vocal tract changed apart, and the tempo if asked.

Overlapping grains are laid out at another spacing, where they continue each other best (WSOLA: Verhelst & Roelands
1993), then the sound is resampled, which moves harmonics and formants together. The spectral envelope, a few cepstral
coefficients of each frame of the original, tells by how much every frequency has to be raised or lowered to put the
formants where they belong (source and filter: Fant 1960). Nothing is synthesised but what lay above the band of a
lowered voice, so breath, roughness and timing are those of the recording.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import irfft, rfft
from scipy.signal import resample_poly

from ..features import SAMPLE_RATE_HZ

_GRAIN, _GRAIN_HOP, _SEARCH = 400, 200, 100
_FRAME, _FRAME_HOP = 512, 128
_BINS = _FRAME // 2 + 1
_CEPSTRUM = 44
_SHIFTS = 50  # pitch is changed in steps of 1 / 50, so that resampling has small whole factors
_HIGHEST_GAIN = np.float32(np.log(12.0))
_LOWEST_F0_HZ, _HIGHEST_F0_HZ = 65.0, 450.0


def changed_voice(
    samples: np.ndarray, pitch: float, formants: float, stretch: float, random: np.random.Generator
) -> np.ndarray:
    """Speech of another speaker, (round(len(samples) * stretch),) at 16 kHz.

    Args:
        samples: (N,) speech; pitch: factor of the fundamental frequency (0.5 to 2.5); formants: factor of the
            resonances (0.7 to 1.4); stretch: factor of the duration (0.7 to 1.4).
    """
    pitch = round(pitch * _SHIFTS) / _SHIFTS
    count = round(len(samples) * stretch)
    if count < _FRAME:
        return resample_poly(samples, max(1, count), max(1, len(samples))).astype(np.float32)[:count]
    moved = _stretched(samples.astype(np.float32), pitch * stretch)
    moved = _fitted(resample_poly(moved, _SHIFTS, round(pitch * _SHIFTS)), count)
    if pitch == formants == 1:
        return moved
    frames = count // _FRAME_HOP + 5
    wanted = np.arange(frames) * _FRAME_HOP
    spectra = rfft(_frames(moved, wanted), axis=1)
    heard = np.abs(rfft(_frames(samples, np.round(wanted / stretch).astype(int)), axis=1))
    cepstrum = np.log(heard + 1e-5).astype(np.float32) @ _to_cepstrum()
    target = cepstrum @ _from_cepstrum(formants)
    gain = target - cepstrum @ _from_cepstrum(pitch)
    spectra *= np.exp(np.minimum(gain, _HIGHEST_GAIN))
    empty = int(_BINS * pitch * 0.97)
    if empty < _BINS:  # a lowered voice has nothing above: what is there in speech is mostly breath
        noise = random.standard_normal((2, frames, _BINS - empty), dtype=np.float32)
        spectra[:, empty:] = np.exp(target[:, empty:]) * (noise[0] + 1j * noise[1]) * 0.9
    return _overlapped(irfft(spectra, axis=1), count)


def median_pitch_hz(samples: np.ndarray) -> float:
    """Median fundamental frequency of voiced frames, by autocorrelation (Rabiner 1977); 0 when nothing is voiced."""
    starts = np.arange(0, max(1, len(samples) - 640), 800)
    frames = samples[np.minimum(starts[:, None] + np.arange(640), len(samples) - 1)].astype(np.float32)
    level = np.sqrt(np.mean(frames**2, 1))
    frames = (frames - frames.mean(1, keepdims=True))[level > 0.3 * level.max()]
    if not len(frames):
        return 0.0
    window = np.hanning(640).astype(np.float32)
    self_similarity = np.asarray(irfft(np.abs(rfft(frames * window, 2048, axis=1)) ** 2, axis=1))
    similarity = self_similarity[:, :400] / (self_similarity[:, :1] + 1e-9)
    similarity /= np.asarray(irfft(np.abs(rfft(window, 2048)) ** 2))[:400] / np.sum(window**2)
    low, high = int(SAMPLE_RATE_HZ / _HIGHEST_F0_HZ), int(SAMPLE_RATE_HZ / _LOWEST_F0_HZ)
    lags = np.arange(low, high)
    # Every multiple of the period is as similar: prefer the shortest.
    scores = similarity[:, low:high] - 0.12 * np.log2(lags / low)
    best = scores.argmax(1)
    voiced = similarity[np.arange(len(best)), best + low] > 0.5
    return float(np.median(SAMPLE_RATE_HZ / lags[best[voiced]])) if voiced.sum() >= 3 else 0.0


def _stretched(samples: np.ndarray, factor: float) -> np.ndarray:
    """`factor` times as long, nothing else changed."""
    if factor == 1:
        return samples
    grains = int(len(samples) * factor / _GRAIN_HOP) + 2
    before = _GRAIN // 2 + _SEARCH
    sound = np.pad(samples, (before, before + 2 * _GRAIN + _SEARCH))
    energy = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    loudness = (1 / np.sqrt(energy[_GRAIN:] - energy[:-_GRAIN] + 1e-4)).astype(np.float32)
    nearer = (1 - 0.1 * (np.arange(-_SEARCH, _SEARCH + 1) / _SEARCH) ** 2).astype(np.float32)
    starts = np.minimum(np.round(np.arange(grains) * _GRAIN_HOP / factor).astype(int), len(samples) + _GRAIN // 2)
    chosen = starts + _SEARCH  # start is the earliest that may be chosen
    place = _SEARCH
    heard = loudness[chosen] < 70  # in silence one place is as good as another
    for index, start in enumerate(starts.tolist()):
        if heard[index]:
            follows = sound[place + _GRAIN_HOP : place + _GRAIN_HOP + _GRAIN]
            fits = np.correlate(sound[start : start + 2 * _SEARCH + _GRAIN], follows)
            fits *= loudness[start : start + 2 * _SEARCH + 1]
            fits *= nearer
            chosen[index] = start + fits.argmax()
        place = int(chosen[index])
    window = np.hanning(_GRAIN + 1)[:-1].astype(np.float32)
    halves = (sound[chosen[:, None] + np.arange(_GRAIN)] * window).reshape(grains, 2, _GRAIN_HOP)
    # The first grain is centred on the first sample.
    return (halves[:-1, 1] + halves[1:, 0]).reshape(-1)


def _fitted(samples: np.ndarray, count: int) -> np.ndarray:
    return np.pad(samples[:count], (0, max(0, count - len(samples)))).astype(np.float32)


@lru_cache(maxsize=1)
def _window() -> np.ndarray:
    return np.hanning(_FRAME + 1)[:-1].astype(np.float32)


def _frames(samples: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Windowed frames (n, 512) that are centred at `centres`, in samples."""
    sound = np.pad(samples.astype(np.float32), (_FRAME // 2, _FRAME))
    starts = np.minimum(centres, len(samples))
    return sound[starts[:, None] + np.arange(_FRAME)] * _window()


def _overlapped(frames: np.ndarray, count: int) -> np.ndarray:
    share = _FRAME // _FRAME_HOP
    blocks = (frames * _window()).reshape(len(frames), share, _FRAME_HOP)
    sound = np.zeros((len(frames) + share - 1, _FRAME_HOP), np.float32)
    for index in range(share):
        sound[index : index + len(frames)] += blocks[:, index]
    return sound.reshape(-1)[_FRAME // 2 : _FRAME // 2 + count] / 1.5  # the sum of four squared Hann windows


@lru_cache(maxsize=1)
def _to_cepstrum() -> np.ndarray:
    """(257, 44): log spectrum to its first cepstral coefficients, the upper ones faded out."""
    bins, orders = np.arange(_BINS), np.arange(_CEPSTRUM)
    weights = np.where((bins == 0) | (bins == _BINS - 1), 1, 2) / _FRAME
    fade = np.clip((_CEPSTRUM - orders) / (_CEPSTRUM // 2), 0, 1)
    return (weights[:, None] * np.cos(2 * np.pi * bins[:, None] * orders / _FRAME) * fade).astype(np.float32)


@lru_cache(maxsize=256)
def _from_cepstrum(factor: float) -> np.ndarray:
    """(44, 257): cepstral coefficients to a log spectrum whose frequencies are `factor` times as high."""
    bins = np.minimum(np.arange(_BINS) / factor, _BINS - 1)
    twice = np.where(np.arange(_CEPSTRUM) == 0, 1, 2)
    return (twice[:, None] * np.cos(2 * np.pi * np.arange(_CEPSTRUM)[:, None] * bins / _FRAME)).astype(np.float32)
