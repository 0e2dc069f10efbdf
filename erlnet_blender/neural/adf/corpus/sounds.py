"""Sounds that are no speech: noises, and what people do with their voices besides speaking.

All are made here from random numbers, at 16 kHz, with an RMS level of 1 unless told otherwise. A person's own noises
(laughter, cough, breath, smack) are labelled silence, mouth at rest: their visible shape cannot be told from the sound
by rules, and a mouth that articulates "ha ha" as words looks worse than one at rest. Add a laugh by an emotion.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import lfilter

from ..features import SAMPLE_RATE_HZ
from .music import add_at, music

NOISES = ("white", "pink", "brown", "fan", "hum", "random")
_NOISE_SHARES = (0.3, 0.25, 0.2, 0.1, 0.05, 0.1)


def level_one(sound: np.ndarray) -> np.ndarray:
    """The sound with an RMS level of 1."""
    return (sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9)).astype(np.float32)


def noise(count: int, random: np.random.Generator, kind: str | None = None) -> np.ndarray:
    """(count,) steady noise: one of NOISES, by chance if not told."""
    kind = kind or str(random.choice(NOISES, p=_NOISE_SHARES))
    if kind == "white":
        return level_one(random.standard_normal(count, dtype=np.float32))
    if kind == "hum":
        return level_one(_hum(count, random) + 0.1 * noise(count, random, "pink"))
    sound = _shaped(count, kind, random)
    if kind == "fan":  # a rotor over rumble, slowly beating
        times_s = np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ
        turning = np.sin(2 * np.pi * random.uniform(0.3, 8) * times_s)
        sound = level_one(sound) * (1 + random.uniform(0, 0.4) * turning) + random.uniform(0, 0.5) * _hum(count, random)
    return level_one(sound)


def _shaped(count: int, kind: str, random: np.random.Generator) -> np.ndarray:
    size = int(next_fast_len(count, real=True))  # type: ignore[arg-type]
    frequencies_hz = rfftfreq(size, 1 / SAMPLE_RATE_HZ).astype(np.float32)
    higher = np.maximum(frequencies_hz, 40.0)
    if kind == "random":  # an unknown machine or street: a wavy spectrum
        anchors_hz = np.geomspace(40, 8000, 9)
        levels = np.cumsum(random.normal(-0.25, 0.5, 9))
        curve = np.exp(np.interp(np.log(higher), np.log(anchors_hz), levels)).astype(np.float32)
    else:
        curve = higher ** {"pink": -0.5, "brown": -1.0, "fan": -0.8}[kind]
    curve[frequencies_hz < 20] = 0
    return np.asarray(irfft(np.asarray(rfft(random.standard_normal(size, dtype=np.float32))) * curve, size))[:count]


def _hum(count: int, random: np.random.Generator) -> np.ndarray:
    times_s = np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ
    base_hz = random.choice([50.0, 60.0, 100.0, random.uniform(70, 300)])
    harmonics = range(1, 7)
    return level_one(
        np.sum([random.uniform(0, 2) / k * np.sin(2 * np.pi * base_hz * k * times_s) for k in harmonics], 0)
    )


def clicks(count: int, random: np.random.Generator) -> np.ndarray:
    """(count,) keys, knocks and bumps over a little noise."""
    sound = 0.05 * noise(count, random)
    for _ in range(int(count / SAMPLE_RATE_HZ * random.uniform(1, 6)) + 1):
        add_at(sound, random.uniform(0, count / SAMPLE_RATE_HZ), _ring(random.uniform(100, 4000), 0.03, random))
    return level_one(sound)


def _ring(frequency_hz: float, decay_s: float, random: np.random.Generator) -> np.ndarray:
    times_s = np.arange(1600, dtype=np.float32) / SAMPLE_RATE_HZ
    body = np.sin(2 * np.pi * frequency_hz * times_s) + random.standard_normal(1600, dtype=np.float32)
    return random.uniform(0.3, 1) * body * np.exp(-times_s / random.uniform(0.1 * decay_s, decay_s))


def laughter(random: np.random.Generator) -> np.ndarray:
    """0.6 to 2 s of "ha" pulses, 4 to 6 a second, falling in pitch and loudness, each with breath before it."""
    rate_hz, pulses = random.uniform(4, 6), int(random.integers(3, 10))
    f0_hz, formants = random.uniform(110, 420), random.uniform(0.85, 1.25)
    voiced_share = random.uniform(0.3, 0.55)
    count = int(pulses / rate_hz * SAMPLE_RATE_HZ)
    times_s = np.arange(count) / SAMPLE_RATE_HZ
    phase = (times_s * rate_hz) % 1
    voice = np.clip(np.sin(np.pi * (phase - (1 - voiced_share)) / voiced_share), 0, 1) * (phase > 1 - voiced_share)
    breath = np.clip(np.sin(np.pi * phase / (1 - voiced_share * 0.5)), 0, 1)
    glide = 1 + 0.15 * np.sin(2 * np.pi * phase) - 0.25 * times_s / times_s[-1]
    cycles = np.cumsum(f0_hz * glide / SAMPLE_RATE_HZ)
    glottis = level_one(np.diff((cycles % 1) ** 2 * (1 - cycles % 1), prepend=0))
    hiss = random.standard_normal(count) * random.uniform(0.01, 0.1)
    source = glottis * voice + hiss * breath
    fading = np.exp(-random.uniform(0, 1.2) * times_s)
    return level_one(_through_a_tract(source, np.array([750, 1300, 2600, 3600]) * formants) * fading)


def cough(random: np.random.Generator) -> np.ndarray:
    """One or two coughs: a burst, and a voiced or breathy end."""
    parts = []
    for _ in range(int(random.integers(1, 3))):
        times_s = np.arange(int(random.uniform(0.2, 0.4) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        source = random.standard_normal(len(times_s)) * np.exp(-times_s / random.uniform(0.03, 0.1))
        tone = ((times_s * random.uniform(100, 300)) % 1) - 0.5
        source += random.uniform(0, 0.6) * tone * np.exp(-(((times_s - 0.15) / 0.06) ** 2))
        parts += [_through_a_tract(source, random.uniform(0.85, 1.2) * np.array([600, 1500, 2500])), np.zeros(1600)]
    return level_one(np.concatenate(parts))


def breath(random: np.random.Generator) -> np.ndarray:
    """A breath in or out, 0.25 to 0.9 s."""
    count = int(random.uniform(0.25, 0.9) * SAMPLE_RATE_HZ)
    rise = np.sin(np.pi * np.linspace(0, 1, count) ** random.uniform(0.6, 1.6))
    resonances = random.uniform(0.8, 1.3) * np.array([500, 1700, 2800])
    return level_one(_through_a_tract(random.standard_normal(count), resonances, 300.0) * rise)


def smack(random: np.random.Generator) -> np.ndarray:
    """Lips or tongue that part before speaking: 10 to 30 ms."""
    return level_one(_ring(random.uniform(800, 3500), 0.01, random)[: int(random.uniform(0.01, 0.03) * SAMPLE_RATE_HZ)])


def own_noise(random: np.random.Generator) -> np.ndarray:
    """A noise that a speaker makes between phrases."""
    kind = (breath, laughter, cough, smack)[random.choice(4, p=(0.5, 0.2, 0.12, 0.18))]
    return kind(random)


def _through_a_tract(source: np.ndarray, resonances_hz: np.ndarray, bandwidth_hz: float = 110.0) -> np.ndarray:
    sound = source
    for frequency_hz in resonances_hz:
        radius = np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE_HZ)
        turn = 2 * radius * np.cos(2 * np.pi * min(frequency_hz, 7500.0) / SAMPLE_RATE_HZ)
        sound = np.asarray(lfilter([1 - turn + radius**2], [1, -turn, radius**2], sound))
    return sound


def not_speech(random: np.random.Generator, duration_s: float) -> np.ndarray:
    """A stretch without a word: noise, music, clicks, or somebody's laughter, coughs and breaths."""
    count = int(duration_s * SAMPLE_RATE_HZ)
    kind = random.random()
    if kind < 0.22:
        return noise(count, random)
    if kind < 0.62:
        return level_one(music(count, random) + random.uniform(0, 0.3) * noise(count, random))
    if kind < 0.75:
        return clicks(count, random)
    sound = random.uniform(0.01, 0.2) * noise(count, random)
    place_s = random.uniform(0, 0.8)
    while place_s < duration_s:
        part = own_noise(random)
        add_at(sound, place_s, random.uniform(0.3, 1) * part)
        place_s += len(part) / SAMPLE_RATE_HZ + random.uniform(0.2, 1.5)
    return level_one(sound)
