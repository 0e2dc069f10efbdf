"""Making clean recordings sound like rooms, telephones and other people, and moving their motion with the sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import resample_poly

from ..articulation import ARTICULATION, CHANNEL_RATE_HZ
from ..features import SAMPLE_RATE_HZ
from .acoustics import band_limited, beside_other_sounds, in_a_room, overloaded, telephoned, toned
from .folder import Recording
from .sounds import not_speech, own_noise
from .voice_change import changed_voice, median_pitch_hz

_CHANGED_SHARE = {"espeak": 0.15}
_CHANGED_SHARE_RECORDED = 0.4
# Without a good share of clean speech the fine differences (b from d, m from n) are never learnt.
_STUDIO_SHARE = 0.5
_SETTLING_S = 0.1
_SHORTEST_SILENCE_S = 0.08
Gap = tuple[float, float]


@dataclass
class Example:
    """Augmented samples at 16 kHz and their targets at 50 Hz: motion (T, 11), phones (T,), accents (T,).

    `tracked`: how a filmed person really moved, (T, 32), see `TrackedMotion.joined`; None for the others.
    """

    samples: np.ndarray
    motion: np.ndarray
    phones: np.ndarray
    accents: np.ndarray
    tracked: np.ndarray | None = None


def kind_of(entry: dict) -> str:
    """What made a recording of the corpus: its `kind`, or what its voice is called ("espeak-de+f2")."""
    return entry.get("kind") or entry["voice"].partition("-")[0]


def augmented(recording: Recording, random: np.random.Generator, voices: Sequence[np.ndarray] = ()) -> Example:
    """One random version of a recording, like another speaker elsewhere.

    Pitch and formants changed apart (two in five recorded speakers, one in seven rule-made voices) or speed and pitch
    together; pauses of up to 3 s around and inside, with a speaker's breaths, coughs and laughter in them (labelled
    silence); half of the time, room, overload, telephone, noise down to 0 dB, music. `voices`, other recordings, talk
    in the background.
    """
    if random.random() < _CHANGED_SHARE.get(kind_of(recording.entry), _CHANGED_SHARE_RECORDED):
        pitch, formants = another_speaker(recording.samples, random)
        stretch = float(np.exp(random.uniform(-0.2, 0.2)))
        samples = changed_voice(recording.samples, pitch, formants, stretch, random)
        stretch = len(samples) / max(1, len(recording.samples))
    else:
        hundredths = round(float(np.exp(random.uniform(-0.2, 0.2))) * 100)
        samples, stretch = resample_poly(recording.samples, hundredths, 100).astype(np.float32), hundredths / 100
    level = float(np.sqrt(np.mean(samples**2))) + 1e-6
    longest_s = 3.0 if random.random() < 0.12 else 0.7
    before_s, after_s = random.uniform(0.05, longest_s), random.uniform(0.05, longest_s)
    gaps = _pauses(recording, random)
    example = placed(recording, samples, stretch, before_s, after_s, gaps)
    if random.random() < 0.4:
        _fill_silences(example, level, random)
    example.samples = _recorded_elsewhere(example.samples, level, list(voices), random)
    return example


def another_speaker(samples: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """Factors of pitch and formants that make a man a woman or a child and the reverse.

    The new pitch is 80 to 340 Hz, half of the time at least 160; formants follow it loosely, as they do among people
    (a woman's are about 1.17 times a man's, at 1.7 times his pitch: Peterson & Barney 1952).
    """
    now_hz = median_pitch_hz(samples) or 140.0
    lowest_hz = 160.0 if random.random() < 0.5 else 80.0
    ratio = float(np.exp(random.uniform(np.log(lowest_hz), np.log(340.0)))) / now_hz
    pitch = float(np.clip(ratio, 0.6, 2.2))
    formants = float(np.clip(pitch**0.3 * np.exp(random.normal(0, 0.08)), 0.8, 1.3))
    return pitch, formants


def plain(recording: Recording, silence_s: float = 0.3) -> Example:
    """The recording as it is, with silence around."""
    return placed(recording, recording.samples, 1.0, silence_s, silence_s)


def placed(
    recording: Recording, samples: np.ndarray, stretch: float, before_s: float, after_s: float, gaps: Sequence[Gap] = ()
) -> Example:
    """`samples` (already stretched) between silences, and the targets moved and stretched with them.

    Args:
        gaps: (place in the recording, length) in seconds, ascending: silences to be put inside. Around them the mouth
            comes to rest, and leaves it, within 0.1 s.
    """
    cuts = [round(place_s * stretch * SAMPLE_RATE_HZ) for place_s, _ in gaps]
    pieces = np.split(samples, cuts)
    lengths = [round(seconds * SAMPLE_RATE_HZ) for seconds in (before_s, *(gap_s for _, gap_s in gaps), after_s)]
    parts, out, source = [], [], []
    done = 0
    for index, piece in enumerate(pieces):
        parts += [np.zeros(lengths[index], np.float32), _faded(piece, index > 0, index < len(pieces) - 1)]
        begin = sum(map(len, parts)) - len(piece)
        out += [begin, begin + len(piece)]
        source += [done, done + len(piece)]
        done += len(piece)
    sound = np.concatenate([*parts, np.zeros(lengths[-1], np.float32)])
    count = len(sound) * CHANNEL_RATE_HZ // SAMPLE_RATE_HZ
    now = (np.arange(count) + 0.5) * SAMPLE_RATE_HZ / CHANNEL_RATE_HZ
    source_s = np.interp(now, out, source) / SAMPLE_RATE_HZ / stretch
    known_s = (np.arange(len(recording.motion)) + 0.5) / recording.rate_hz
    inside = (now >= out[0]) & (now < out[-1]) & (source_s < known_s[-1] + 0.5 / recording.rate_hz)
    resting = np.ones(count)
    for end, begin in zip(out[1:-1:2], out[2::2], strict=True):
        away_s = np.clip(np.minimum(now - end, begin - now), 0, None) / SAMPLE_RATE_HZ
        resting *= np.clip(1 - away_s / _SETTLING_S, 0, 1)
    speaking = inside & (resting == 1)
    moving = inside * resting
    motion = np.stack([np.interp(source_s, known_s, column) * moving for column in recording.motion.T], 1)
    nearest = np.clip((source_s * recording.rate_hz).astype(int), 0, len(known_s) - 1)
    phones = np.where(speaking, recording.phones[nearest], 0)
    accents = np.interp(source_s, known_s, recording.accents) * moving
    tracked = None
    if recording.tracked is not None:  # in the silences the face holds still, and the mouth rests
        columns = recording.tracked.joined().T
        tracked = np.stack([np.interp(source_s, known_s, column) for column in columns], 1).astype(np.float32)
        tracked[:, : len(ARTICULATION)] *= moving[:, None]
    return Example(sound, motion.astype(np.float32), phones.astype(np.int8), accents.astype(np.float32), tracked)


def noise_only(random: np.random.Generator, duration_s: float = 4.0) -> Example:
    """A stretch without speech, to be met with the mouth at rest."""
    frames = int(duration_s * CHANNEL_RATE_HZ)
    return Example(
        not_speech(random, duration_s) * np.float32(0.1), np.zeros((frames, len(ARTICULATION)), np.float32),
        np.zeros(frames, np.int8), np.zeros(frames, np.float32),
    )  # fmt: skip


def _faded(piece: np.ndarray, begins: bool, ends: bool) -> np.ndarray:
    ramp = np.linspace(0, 1, min(80, len(piece)), dtype=np.float32)
    piece = piece.astype(np.float32)
    if begins:
        piece[: len(ramp)] *= ramp
    if ends and len(ramp):
        piece[-len(ramp) :] *= ramp[::-1]
    return piece


def _pauses(recording: Recording, random: np.random.Generator) -> list[Gap]:
    """Sometimes one or two gaps in the middle of silences between phrases."""
    if random.random() > 0.35:
        return []
    silent = np.concatenate([[0], recording.phones == 0, [0]]).astype(np.int8)
    begins, ends = np.flatnonzero(np.diff(silent) == 1), np.flatnonzero(np.diff(silent) == -1)
    inner = (begins > 0) & (ends < len(recording.phones)) & (ends - begins >= _SHORTEST_SILENCE_S * recording.rate_hz)
    middles_s = (begins + ends)[inner] / 2 / recording.rate_hz
    chosen = np.sort(random.permutation(middles_s)[: int(random.integers(1, 3))])
    return [(float(place_s), float(np.exp(random.uniform(np.log(0.2), np.log(3.0))))) for place_s in chosen]


def _fill_silences(example: Example, level: float, random: np.random.Generator) -> None:
    """Put a speaker's own noises into some of the silences of at least 0.3 s: in place."""
    hop = SAMPLE_RATE_HZ // CHANNEL_RATE_HZ
    silent = np.concatenate([[0], example.phones == 0, [0]]).astype(np.int8)
    begins, ends = np.flatnonzero(np.diff(silent) == 1), np.flatnonzero(np.diff(silent) == -1)
    for begin, end in zip(begins * hop, ends * hop, strict=True):
        if end - begin < 0.3 * SAMPLE_RATE_HZ or random.random() < 0.4:
            continue
        sound = own_noise(random)
        free = end - begin - int(0.1 * SAMPLE_RATE_HZ)
        start = begin + int(0.05 * SAMPLE_RATE_HZ) + int(random.integers(max(1, free - len(sound))))
        sound = _faded(sound[:free], False, True) * np.float32(level * 10 ** (random.uniform(-28, -2) / 20))
        room = example.samples[start : start + len(sound)]
        room += sound[: len(room)]


def _recorded_elsewhere(
    sound: np.ndarray, level: float, voices: list[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    if random.random() < 0.5:
        sound = toned(sound, random)
    if random.random() < _STUDIO_SHARE:
        return (sound * 10 ** (random.uniform(-25, 6) / 20)).astype(np.float32)
    if random.random() < 0.5:
        sound = in_a_room(sound, random)
    sound = beside_other_sounds(sound, level, voices, random)
    if random.random() < 0.06:
        sound = overloaded(sound, random)
    if random.random() < 0.08:
        sound = telephoned(sound, random)
    else:
        low_hz = random.uniform(60, 350) if random.random() < 0.3 else None
        high_hz = random.uniform(3200, 7500) if random.random() < 0.35 else None
        sound = band_limited(sound, low_hz, high_hz)
    return (sound * 10 ** (random.uniform(-25, 6) / 20)).astype(np.float32)
