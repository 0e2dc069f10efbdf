"""From a clean voice to what a microphone gives: rooms, telephones, overload, tone, and what sounds besides."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, fftconvolve, sosfilt

from ..features import SAMPLE_RATE_HZ
from .music import music
from .sounds import level_one, noise

_SOUND_M_PER_S = 343.0
_IMAGES = np.array([(x, y, z) for x in range(-2, 3) for y in range(-2, 3) for z in (-1, 0, 1)])


def room_response(random: np.random.Generator) -> np.ndarray:
    """An impulse response whose direct sound is 1 at sample 0: image sources, then a decaying diffuse tail.

    75 image sources of a random shoebox (Allen & Berkley 1979); after 30 ms noise decays by 60 dB in 0.15 to 0.9 s.
    """
    size_m = random.uniform((2.5, 2.5, 2.2), (9, 7, 3.8))
    talker, microphone = random.uniform(0.25, 0.75, (2, 3)) * size_m
    gap = microphone - talker
    microphone = talker + gap / np.linalg.norm(gap) * min(float(np.linalg.norm(gap)), random.uniform(0.3, 3.0))
    images = np.where(_IMAGES % 2 == 0, _IMAGES * size_m + talker, (_IMAGES + 1) * size_m - talker)
    distances_m = np.linalg.norm(images - microphone, axis=1)
    direct_m = float(np.linalg.norm(microphone - talker))
    kept = random.uniform(0.4, 0.9)
    strengths = kept ** np.abs(_IMAGES).sum(1) * direct_m / distances_m
    reverberation_s = random.uniform(0.15, 0.9)
    response = np.zeros(int(reverberation_s * SAMPLE_RATE_HZ))
    delays = ((distances_m - direct_m) / _SOUND_M_PER_S * SAMPLE_RATE_HZ).astype(int)
    inside = (delays > 0) & (delays < len(response))
    np.add.at(response, delays[inside], strengths[inside])
    begin = int(0.03 * SAMPLE_RATE_HZ)
    times = np.arange(len(response) - begin) / len(response)
    tail = random.standard_normal(len(times)) * np.exp(-6.9 * times)
    # A softer ceiling for the tail: close microphones hear little of it.
    tail *= random.uniform(0.05, 0.6) * min(1.0, direct_m) / np.sqrt(np.sum(tail**2))
    response[begin:] += sosfilt(_filter(1, round(random.uniform(1500, 7000), -2), "low"), tail)
    response[0] = 1
    return response


def in_a_room(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The sound in a random room, as long as it was."""
    return fftconvolve(sound, room_response(random).astype(np.float32))[: len(sound)]


def toned(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A microphone's tone: a smooth random equaliser of up to 12 dB."""
    walk = np.cumsum(random.standard_normal(8)) * 2.5
    size = int(next_fast_len(len(sound), real=True))  # type: ignore[arg-type]
    curve_db = np.interp(np.linspace(0, 1, size // 2 + 1), np.linspace(0, 1, 8), np.clip(walk - walk.mean(), -12, 12))
    return np.asarray(irfft(rfft(sound, size) * (10 ** (curve_db / 20)).astype(np.float32), size))[: len(sound)]


def band_limited(sound: np.ndarray, low_hz: float | None, high_hz: float | None) -> np.ndarray:
    """Without what is below and above."""
    if high_hz is not None:
        sound = np.asarray(sosfilt(_filter(4, round(high_hz, -2), "low"), sound))
    if low_hz is not None:
        sound = np.asarray(sosfilt(_filter(2, round(low_hz, -1), "high"), sound))
    return sound


@lru_cache(maxsize=256)
def _filter(order: int, corner_hz: float, band: str) -> np.ndarray:
    """Designing a filter takes longer than filtering: corners are rounded, so that few are needed."""
    return np.asarray(butter(order, corner_hz, band, fs=SAMPLE_RATE_HZ, output="sos"))


def telephoned(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """300 to 3400 Hz and eight bits on a logarithmic scale (ITU-T G.711, mu = 255)."""
    sound = band_limited(sound, random.uniform(200, 320), random.uniform(3200, 3600))
    peak = np.max(np.abs(sound)) + 1e-9
    pressed = np.sign(sound) * np.log1p(255 * np.abs(sound) / peak) / np.log(256)
    pressed = np.round(pressed * 127) / 127
    return np.sign(pressed) * np.expm1(np.abs(pressed) * np.log(256)) / 255 * peak


def overloaded(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Clipped where it is loudest, hard or softly."""
    ceiling = np.quantile(np.abs(sound), random.uniform(0.96, 0.999)) + 1e-9
    if random.random() < 0.5:
        return np.clip(sound, -ceiling, ceiling)
    return np.tanh(sound / ceiling) * ceiling


def babble(voices: list[np.ndarray], count: int, random: np.random.Generator) -> np.ndarray:
    """(count,) other people who talk at once: recordings looped from random places."""
    sound = np.zeros(count, np.float32)
    for voice in voices:
        places = (random.integers(len(voice)) + np.arange(count)) % len(voice)
        sound += random.uniform(0.5, 1) * level_one(voice)[places]
    return level_one(sound)


def beside_other_sounds(
    sound: np.ndarray, level: float, voices: list[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """Noise down to 0 dB below the voice, a crowd of `voices`, music at 5 to 25 dB: by chance each.

    `level` is the RMS of the voice alone, from which the ratios are taken.
    """
    if random.random() < 0.85:
        crowd = len(voices) >= 3 and random.random() < 0.12
        other = babble(voices, len(sound), random) if crowd else noise(len(sound), random)
        quietest_db = 8.0 if crowd else 0.0
        sound = sound + other * np.float32(level * 10 ** (-random.uniform(quietest_db, 42) / 20))
    if random.random() < 0.2:
        sound = sound + music(len(sound), random) * np.float32(level * 10 ** (-random.uniform(5, 25) / 20))
    # No recording is digitally silent.
    return sound + noise(len(sound), random, "white") * np.float32(level * 10 ** (-random.uniform(45, 75) / 20))
