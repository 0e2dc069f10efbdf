"""Making clean recordings sound like rooms, telephones and other people, and resampling their motion to match."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from ..articulation import CHANNEL_RATE_HZ
from ..features import SAMPLE_RATE_HZ
from .folder import Recording


@dataclass
class Example:
    """Augmented samples at 16 kHz and their targets at 50 Hz: motion (T, 11), phones (T,), accents (T,)."""

    samples: np.ndarray
    motion: np.ndarray
    phones: np.ndarray
    accents: np.ndarray


def augmented(recording: Recording, random: np.random.Generator) -> Example:
    """One random version: speed and pitch ±20 %, pauses around, room, band limits, equaliser, noise 5 to 50 dB."""
    stretch = round(float(np.exp(random.uniform(-0.2, 0.2))) * 100)
    samples = resample_poly(recording.samples, stretch, 100).astype(np.float32)
    longest_s = 2.0 if random.random() < 0.15 else 0.8
    before_s, after_s = random.uniform(0.05, longest_s), random.uniform(0.05, longest_s)
    example = placed(recording, samples, stretch / 100, before_s, after_s)
    example.samples = _with_noise(_through_a_room(example.samples, random), random)
    return example


def plain(recording: Recording, silence_s: float = 0.3) -> Example:
    """The recording as it is, with silence around."""
    return placed(recording, recording.samples, 1.0, silence_s, silence_s)


def placed(recording: Recording, samples: np.ndarray, stretch: float, before_s: float, after_s: float) -> Example:
    """`samples` (already stretched) between silences, and the targets moved and stretched with them."""
    pad = [np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32) for seconds in (before_s, after_s)]
    sound = np.concatenate([pad[0], samples, pad[1]])
    count = len(sound) * CHANNEL_RATE_HZ // SAMPLE_RATE_HZ
    source_s = ((np.arange(count) + 0.5) / CHANNEL_RATE_HZ - len(pad[0]) / SAMPLE_RATE_HZ) / stretch
    known_s = (np.arange(len(recording.motion)) + 0.5) / recording.rate_hz
    inside = (source_s >= 0) & (source_s < known_s[-1] + 0.5 / recording.rate_hz)
    motion = np.stack([np.interp(source_s, known_s, column, 0, 0) for column in recording.motion.T], 1)
    nearest = np.clip((source_s * recording.rate_hz).astype(int), 0, len(known_s) - 1)
    phones = np.where(inside, recording.phones[nearest], 0)
    accents = np.interp(source_s, known_s, recording.accents, 0, 0)
    return Example(sound, motion.astype(np.float32), phones.astype(np.int8), accents.astype(np.float32))


def noise_only(random: np.random.Generator, duration_s: float = 4.0) -> Example:
    """A stretch without speech: hiss, rumble, hum or chords, to be met with shut lips."""
    count = int(duration_s * SAMPLE_RATE_HZ)
    times_s = np.arange(count) / SAMPLE_RATE_HZ
    sound = _noise(count, random)
    kind = random.random()
    if kind < 0.25:  # mains hum
        base_hz = random.choice([50.0, 60.0])
        for harmonic in range(1, 6):
            sound += random.uniform(0, 3) / harmonic * np.sin(2 * np.pi * base_hz * harmonic * times_s)
    elif kind < 0.5:  # chords that come and go
        for _ in range(random.integers(2, 6)):
            envelope = np.clip(np.sin(2 * np.pi * random.uniform(0.2, 2) * times_s + random.uniform(0, 6)), 0, 1)
            sound += 2 * envelope * np.sin(2 * np.pi * random.uniform(110, 1500) * times_s)
    elif kind < 0.65:  # clicks and bumps
        for start in random.integers(0, count - 400, 12):
            sound[start : start + 400] += random.normal(0, 8) * np.exp(-np.arange(400) / random.uniform(10, 120))
    sound *= 0.1 / np.sqrt(np.mean(sound**2))
    frames = count * CHANNEL_RATE_HZ // SAMPLE_RATE_HZ
    return Example(
        sound.astype(np.float32), np.zeros((frames, 11), np.float32), np.zeros(frames, np.int8),
        np.zeros(frames, np.float32),
    )  # fmt: skip


def _through_a_room(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    count = len(sound)
    if random.random() < 0.5:
        length = int(random.uniform(0.08, 0.5) * SAMPLE_RATE_HZ)
        response = random.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
        response *= random.uniform(0.05, 0.5) / np.sqrt(np.sum(response**2))
        response[0] = 1
        sound = fftconvolve(sound, response)[:count]
    if random.random() < 0.35:
        sound = np.asarray(
            sosfilt(butter(4, random.uniform(3200, 7500), "low", fs=SAMPLE_RATE_HZ, output="sos"), sound)
        )
    if random.random() < 0.35:
        sound = np.asarray(sosfilt(butter(2, random.uniform(60, 350), "high", fs=SAMPLE_RATE_HZ, output="sos"), sound))
    if random.random() < 0.6:
        walk = np.cumsum(random.standard_normal(8)) * 2.5
        gains_db = np.clip(walk - walk.mean(), -12, 12)
        curve = np.interp(np.linspace(0, 1, count // 2 + 1), np.linspace(0, 1, 8), gains_db)
        sound = np.fft.irfft(np.fft.rfft(sound) * 10 ** (curve / 20), count)
    return np.asarray(sound)


def _noise(count: int, random: np.random.Generator) -> np.ndarray:
    noise = random.standard_normal(count)
    if random.random() < 0.6:  # brown, as most rooms are
        noise = sosfilt(butter(1, 60, "high", fs=SAMPLE_RATE_HZ, output="sos"), np.cumsum(noise))
    return np.asarray(noise) / (np.sqrt(np.mean(np.square(noise))) + 1e-9)


def _with_noise(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    level = np.sqrt(np.mean(sound**2)) + 1e-6
    ratio_db = random.uniform(5, 50)
    return (sound + _noise(len(sound), random) * level * 10 ** (-ratio_db / 20)).astype(np.float32)
