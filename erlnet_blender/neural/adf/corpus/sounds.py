"""Sounds that are no speech: noises, music, and what people do with their voices besides speaking.

All are made here from random numbers, at 16 kHz, with an RMS level of 1 unless told otherwise. A person's own noises
(laughter, cough, breath, smack) are labelled silence, mouth at rest: their visible shape cannot be told from the sound
by rules, and a mouth that articulates "ha ha" as words looks worse than one at rest. Add a laugh by an emotion.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import lfilter

from ..features import SAMPLE_RATE_HZ

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10))
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


@lru_cache(maxsize=1)
def _sine() -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(4096) / 4096).astype(np.float32)


def music(count: int, random: np.random.Generator) -> np.ndarray:
    """(count,) chords or a broken chord over a bass in a random key, often with drums."""
    sound = np.zeros(count + SAMPLE_RATE_HZ, np.float32)
    beat_s = 60 / random.uniform(60, 160)
    key, scale = int(random.integers(36, 60)), _SCALES[random.integers(len(_SCALES))]
    timbre = random.uniform(0.6, 2.2)
    broken, drums = random.random() < 0.5, random.random() < 0.55
    plucked = random.random() < 0.6
    for bar in range(int(count / SAMPLE_RATE_HZ / (4 * beat_s)) + 1):
        degree = int(random.choice([0, 3, 4, 5, 1]))
        tones = [key + scale[(degree + 2 * k) % 7] + 12 * ((degree + 2 * k) // 7) for k in range(4)]
        begin_s = bar * 4 * beat_s
        _add(sound, begin_s, _note(tones[0] - 12, 4 * beat_s, timbre, plucked))
        if broken:
            for step in range(8):
                tone = tones[int(random.integers(4))] + 12
                _add(sound, begin_s + step * beat_s / 2, _note(tone, beat_s, timbre, plucked))
        else:
            for tone in tones[: int(random.integers(2, 5))]:
                _add(sound, begin_s, 0.7 * _note(tone + 12, 4 * beat_s, timbre, plucked))
        for step in range(8 if drums else 0):
            _add(sound, begin_s + step * beat_s / 2, _drum(step, random))
    return level_one(sound[:count])


def _note(tone: int, duration_s: float, timbre: float, plucked: bool) -> np.ndarray:
    frequency_hz = 440 * 2 ** ((tone - 69) / 12)
    count = max(800, int(min(duration_s, 2.5) * SAMPLE_RATE_HZ))
    wave = np.zeros(4096, np.float32)
    for harmonic in range(1, min(12, int(7500 / frequency_hz)) + 1):
        wave += _sine()[(np.arange(4096) * harmonic) % 4096] / harmonic**timbre
    times_s = np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ
    sound = wave[(times_s * np.float32(frequency_hz * 4096)).astype(np.int64) & 4095]
    envelope = np.exp(-4 * times_s / duration_s) if plucked else np.minimum(1, times_s / 0.06)
    envelope[-400:] *= np.linspace(1, 0, 400, dtype=np.float32)
    return sound * envelope


def _drum(step: int, random: np.random.Generator) -> np.ndarray:
    times_s = np.arange(2400, dtype=np.float32) / SAMPLE_RATE_HZ
    if step % 4 == 0:  # bass drum: a falling tone
        return 2.0 * np.sin(2 * np.pi * (50 * times_s - 4 * np.exp(-25 * times_s))) * np.exp(-22 * times_s)
    hiss = random.standard_normal(2400, dtype=np.float32)
    if step % 4 == 2:
        return 0.8 * hiss * np.exp(-25 * times_s)
    return 0.3 * np.diff(hiss, prepend=0) * np.exp(-80 * times_s)


def _add(sound: np.ndarray, begin_s: float, part: np.ndarray) -> None:
    begin = int(begin_s * SAMPLE_RATE_HZ)
    room = sound[begin : begin + len(part)]
    room += part[: len(room)]


def clicks(count: int, random: np.random.Generator) -> np.ndarray:
    """(count,) keys, knocks and bumps over a little noise."""
    sound = 0.05 * noise(count, random)
    for _ in range(int(count / SAMPLE_RATE_HZ * random.uniform(1, 6)) + 1):
        _add(sound, random.uniform(0, count / SAMPLE_RATE_HZ), _ring(random.uniform(100, 4000), 0.03, random))
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
    if kind < 0.3:
        return noise(count, random)
    if kind < 0.6:
        return level_one(music(count, random) + random.uniform(0, 0.3) * noise(count, random))
    if kind < 0.75:
        return clicks(count, random)
    sound = random.uniform(0.01, 0.2) * noise(count, random)
    place_s = random.uniform(0, 0.8)
    while place_s < duration_s:
        part = own_noise(random)
        _add(sound, place_s, random.uniform(0.3, 1) * part)
        place_s += len(part) / SAMPLE_RATE_HZ + random.uniform(0.2, 1.5)
    return level_one(sound)
