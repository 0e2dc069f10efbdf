"""Made-up music: a band of one to four players and perhaps drums, in a random key, at 16 kHz.

Real music takes a net that has only met plain tones for a voice: lead instruments glide, vibrate and change their
spectrum as a mouth does. So the players here have random spectra that move between two timbres, vibrato, glides and
overdrive; what they cannot have are words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import fftconvolve, lfilter

from ..features import SAMPLE_RATE_HZ

_SCALES = (
    (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 7, 9, 12, 14),
    (0, 3, 5, 7, 10, 12, 15),
)  # fmt: skip
_TABLE = 1024
_HARMONICS = 24
_ROLES = ("chords", "broken", "melody", "bass")
_BEATS = (0.25, 0.5, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True)
class Instrument:
    """How one player sounds.

    Args:
        spectra: (2, 24) levels of the harmonics of the two timbres it moves between.
        turns_hz: how often it moves from one to the other and back; 0: once, from the first to the second.
        vibrato: depth as a share of the frequency; vibrato_hz: its rate.
        glide: share of a note spent on the way from the one before.
        detune: of a second voice, as a share of the frequency; 0: there is none.
        breath: level of the noise in it; drive: how hard it is overdriven, 0 for not at all.
        plucked: whether notes die away instead of being held.
        trills: whether chords are played as one fast run of their tones, as old game machines do.
    """

    spectra: np.ndarray
    turns_hz: float
    vibrato: float
    vibrato_hz: float
    glide: float
    detune: float
    breath: float
    drive: float
    plucked: bool
    trills: bool


def music(count: int, random: np.random.Generator) -> np.ndarray:
    """(count,) music with an RMS level of 1."""
    beat_s = 60 / random.uniform(60, 170)
    key, scale = int(random.integers(36, 60)), _SCALES[random.integers(len(_SCALES))]
    beats = int(count / SAMPLE_RATE_HZ / beat_s) + 1
    chords = [_chord(int(random.choice([0, 3, 4, 5, 1])), key, scale) for _ in range(beats // 4 + 1)]
    sound = np.zeros(count + 1, np.float32)
    for role in random.choice(_ROLES, int(random.integers(1, 5)), p=(0.25, 0.25, 0.35, 0.15)):
        sound += random.uniform(0.3, 1) * _played(role, count + 1, beat_s, beats, chords, random)
    if random.random() < 0.6:
        sound += random.uniform(0.2, 1) * _drums(count + 1, beat_s, beats, random)
    if random.random() < 0.4:
        sound = _in_a_hall(sound, random)
    sound = sound[:count]
    return (sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9)).astype(np.float32)


def _chord(degree: int, key: int, scale: tuple[int, ...]) -> list[int]:
    return [key + scale[(degree + 2 * k) % 7] + 12 * ((degree + 2 * k) // 7) for k in range(4)]


def _instrument(random: np.random.Generator) -> Instrument:
    order = np.arange(1, _HARMONICS + 1)
    spectra = np.stack([_spectrum(order, random) for _ in range(2)])
    sings = random.random() < 0.5
    return Instrument(
        spectra, float(random.choice([0, random.uniform(0.2, 8)])), random.uniform(0, 0.03) * sings,
        random.uniform(4, 7), random.uniform(0, 0.5) * (random.random() < 0.3),
        random.uniform(0.002, 0.02) * (random.random() < 0.4), random.uniform(0, 0.3) * (random.random() < 0.3),
        random.uniform(1, 8) * (random.random() < 0.25), random.random() < 0.5, random.random() < 0.15,
    )  # fmt: skip


def _spectrum(order: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Levels of the harmonics: falling, odd ones alone, a narrow pulse, or with peaks as a body or a throat has."""
    levels = order ** -random.uniform(0.3, 2.2)
    kind = random.random()
    if kind < 0.2:
        levels = levels * (order % 2)
    elif kind < 0.4:
        levels = np.abs(np.sin(np.pi * order * random.uniform(0.05, 0.5))) / order
    elif kind < 0.7:
        for _ in range(int(random.integers(1, 4))):
            peak, width = random.uniform(1, 16), random.uniform(0.5, 3)
            levels = levels + random.uniform(0.1, 1) * np.exp(-(((order - peak) / width) ** 2))
    return levels / np.sqrt((levels**2).sum())


def _played(
    role: str, count: int, beat_s: float, beats: int, chords: list[list[int]], random: np.random.Generator
) -> np.ndarray:
    """(count,) what one player plays."""
    sound, instrument = np.zeros(count, np.float32), _instrument(random)
    raised = int(random.choice([0, 12, 24])) if role in ("melody", "broken") else 12
    beat, last_hz, cache = 0.0, 0.0, {}
    while beat < beats:
        tones = chords[min(int(beat) // 4, len(chords) - 1)]
        if role == "chords":
            length, notes = float(random.choice([1, 2, 4])), [tone + 12 for tone in tones[: int(random.integers(2, 5))]]
        elif role == "bass":
            length, notes = float(random.choice([0.5, 1, 4])), [tones[0] - 12]
        else:
            length = 0.5 if role == "broken" else float(random.choice(_BEATS))
            notes = [] if role == "melody" and random.random() < 0.12 else [int(random.choice(tones)) + raised]
        runs = [notes] if instrument.trills else [[note] for note in notes]
        for run in runs:
            key = (tuple(run), length)
            if key not in cache or instrument.glide:
                cache[key] = _note(instrument, run, length * beat_s, last_hz, random)
            add_at(sound, beat * beat_s, cache[key])
            last_hz = _hz(run[-1]) if run else last_hz
        beat += length
    return np.tanh(instrument.drive * sound) / instrument.drive if instrument.drive else sound


def _hz(tone: int) -> float:
    return 440 * 2 ** ((tone - 69) / 12)


def _note(
    instrument: Instrument, tones: list[int], duration_s: float, last_hz: float, random: np.random.Generator
) -> np.ndarray:
    """A note, or a fast run of several that is heard as one."""
    count = max(800, int(min(duration_s, 3.0) * SAMPLE_RATE_HZ))
    times_s = np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ
    pitch_hz = np.full(count, _hz(tones[0]), np.float32) if tones else np.full(count, 220.0, np.float32)
    if len(tones) > 1:
        pitch_hz = np.array([_hz(tone) for tone in tones], np.float32)[(times_s * 40).astype(int) % len(tones)]
    if instrument.glide and last_hz:
        way = np.minimum(1, times_s / (instrument.glide * duration_s + 1e-3))
        pitch_hz = last_hz * (pitch_hz / last_hz) ** way
    if instrument.vibrato:
        swing = np.sin(2 * np.pi * instrument.vibrato_hz * times_s) * np.minimum(1, times_s / 0.3)
        pitch_hz = pitch_hz * (1 + instrument.vibrato * swing)
    highest = max(1, min(_HARMONICS, int(7500 / pitch_hz.max())))
    tables = [_table(spectrum, highest) for spectrum in instrument.spectra]
    cycles = np.cumsum(pitch_hz, dtype=np.float64) / SAMPLE_RATE_HZ
    blend = times_s / times_s[-1]
    if instrument.turns_hz:
        blend = 0.5 - 0.5 * np.cos(2 * np.pi * instrument.turns_hz * times_s)
    sound = _looked_up(tables, cycles, blend)
    if instrument.detune:
        sound = sound + _looked_up(tables, cycles * (1 + instrument.detune), blend)
    if instrument.breath:
        sound = sound + instrument.breath * random.standard_normal(count, dtype=np.float32)
    envelope = np.exp(-4 * times_s / duration_s) if instrument.plucked else np.minimum(1, times_s / 0.05)
    envelope[-400:] *= np.linspace(1, 0, 400, dtype=np.float32)
    return sound * envelope


def _table(spectrum: np.ndarray, highest: int) -> np.ndarray:
    """(1024,) one period of a tone with the first harmonics of a spectrum."""
    return (spectrum[:highest].astype(np.float32) @ _sines()[:highest]).astype(np.float32)


@lru_cache(maxsize=1)
def _sines() -> np.ndarray:
    order = np.arange(1, _HARMONICS + 1)[:, None]
    return np.sin(2 * np.pi * order * np.arange(_TABLE) / _TABLE).astype(np.float32)


def _looked_up(tables: list[np.ndarray], cycles: np.ndarray, blend: np.ndarray) -> np.ndarray:
    places = (cycles * _TABLE).astype(np.int64) % _TABLE
    return tables[0][places] * (1 - blend) + tables[1][places] * blend


def _drums(count: int, beat_s: float, beats: int, random: np.random.Generator) -> np.ndarray:
    """(count,) a pattern of sixteen steps, over and over."""
    sound = np.zeros(count, np.float32)
    kinds = [_kick(random), _snare(random), _hat(random), _tom(random)]
    likely = ((0.9, 0.1, 0.3, 0.1), (0.05, 0.05, 0.8, 0.1), (0.8, 0.3, 0.8, 0.3), (0.05, 0.02, 0.1, 0.05))
    patterns = [random.random(16) < np.tile(chances, 4) for chances in likely]
    for step in range(4 * beats):
        for kind, pattern in zip(kinds, patterns, strict=True):
            if pattern[step % 16]:
                add_at(sound, step * beat_s / 4, random.uniform(0.7, 1) * kind)
    return sound


def _kick(random: np.random.Generator) -> np.ndarray:
    times_s = _times(0.2)
    fall = random.uniform(1, 6) * np.exp(-random.uniform(15, 40) * times_s)
    return 2 * np.sin(2 * np.pi * (random.uniform(40, 70) * times_s - fall)) * np.exp(-random.uniform(12, 30) * times_s)


def _snare(random: np.random.Generator) -> np.ndarray:
    times_s = _times(0.25)
    skin = np.sin(2 * np.pi * random.uniform(150, 260) * times_s) * np.exp(-30 * times_s)
    rattle = random.standard_normal(len(times_s)) * np.exp(-random.uniform(12, 35) * times_s)
    return skin + random.uniform(0.3, 1) * rattle


def _hat(random: np.random.Generator) -> np.ndarray:
    times_s = _times(0.15)
    hiss = lfilter([1, -random.uniform(0.7, 0.98)], [1], random.standard_normal(len(times_s)))
    return random.uniform(0.1, 0.4) * np.asarray(hiss) * np.exp(-random.uniform(20, 120) * times_s)


def _tom(random: np.random.Generator) -> np.ndarray:
    times_s = _times(0.3)
    fall = random.uniform(0.5, 2) * np.exp(-12 * times_s)
    return np.sin(2 * np.pi * (random.uniform(90, 300) * times_s - fall)) * np.exp(-random.uniform(8, 20) * times_s)


def _times(duration_s: float) -> np.ndarray:
    return np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def _in_a_hall(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    times_s = _times(random.uniform(0.2, 1.2))
    tail = random.standard_normal(len(times_s)) * np.exp(-5 * times_s / times_s[-1]) / np.sqrt(len(times_s))
    wet = fftconvolve(sound, tail.astype(np.float32))[: len(sound)]
    return sound + random.uniform(0.2, 2) * wet.astype(np.float32)


def add_at(sound: np.ndarray, begin_s: float, part: np.ndarray) -> None:
    """Mix `part` into `sound` from `begin_s` on; what goes beyond its end is left out."""
    begin = int(begin_s * SAMPLE_RATE_HZ)
    room = sound[begin : begin + len(part)]
    room += part[: len(room)].astype(np.float32)
