"""Who speaks what in which split; `docs/training/corpus.md` has the table.

`train`; `development`, on which thresholds are chosen (two voices that training never hears, and sentences that it
never sees); `test`, on which figures are quoted; `release`, the held-out voices with training sentences, for the
weights that ship, after the figures of the weights that were trained without them have been taken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil

from . import aligned_voices, festival, flite, recorded, sentences, stamps
from .espeak import LANGUAGES, VARIANTS, synthesiser
from .spoken import Spoken

ENGLISH_ACCENTS = ("en-us", "en-us", "en-gb", "en-sc", "en-rp", "en-029")
TEST_VARIANTS = ("f4", "m7")
TEST_LANGUAGES = ("it", "hu")
# Voice to its share of the recordings and the range of its mean pitch in hertz. kal and kal16 are diphone voices (of
# one speaker, as is Festival's kal), the rest statistical.
FLITE_TRAIN = {"kal": (1, (80, 190)), "kal16": (2, (80, 200)), "awb": (3, (90, 210)), "rms": (3, (75, 180))}
FLITE_DEVELOPMENT = ("kal16", "awb", "rms")
FESTIVAL_TRAIN = {
    "kal": 1, "krb": 2, "machac": 2, "ph": 2, "lj": 2, "mv": 2, "nsh": 2, "ona": 2, "nsk-hi": 2, "nsk-mr": 1,
    "nsk-te": 1,
}  # fmt: skip
FESTIVAL_DEVELOPMENT = ("kdl", "dita")
# alan is for development, with minutes for the weights that ship.
ALIGNED_TRAIN = [name for name in aligned_voices.VOICES if name != "rhvoice-alan"]
ALIGNED_DEVELOPMENT = "rhvoice-alan"
FESTIVAL_TEST = ("lp", "pc")
RELEASE_MINUTES = {
    "flite-slt": 12.0, ALIGNED_DEVELOPMENT: 8.0,
    **{f"festival-{name}": 4.0 for name in FESTIVAL_DEVELOPMENT + FESTIVAL_TEST},
}  # fmt: skip
_DEVELOPMENT_MINUTES = 2.5
_LONGEST_PART_MINUTES = 10.0
_LINES_AT_ONCE = 40
_STRETCH, _PITCH = (0.85, 1.35), (0.75, 1.35)

Voices = Callable[[random.Random], Iterator[Spoken | None]]


@dataclass(frozen=True)
class Part:
    """A part of the corpus: recordings `voices` until `minutes` are full, or all of them (None)."""

    name: str
    split: str
    voices: Voices
    minutes: float | None = None


def parts(espeak_minutes: float, flite_minutes: float, festival_minutes: float, aligned_minutes: float) -> list[Part]:
    """All parts; each can be made by itself, the training ones in pieces of at most ten minutes."""
    train = _pieces("espeak", espeak_minutes, _espeak_train)
    shares = sum(share for share, _ in FLITE_TRAIN.values())
    for voice, (share, pitches_hz) in FLITE_TRAIN.items():
        voices = partial(_flite, (voice,), "train", pitches_hz)
        train += _pieces(f"flite-{voice}", flite_minutes * share / shares, voices)
    for voice, share in FESTIVAL_TRAIN.items():
        minutes = festival_minutes * share / sum(FESTIVAL_TRAIN.values())
        train += _pieces(f"festival-{voice}", minutes, partial(_festival, voice, "train", True))
    shares = {voice: 10 if aligned_voices.VOICES[voice].language == "en" else 3 for voice in ALIGNED_TRAIN}
    for voice, share in shares.items():
        minutes = aligned_minutes * share / sum(shares.values())
        train += _pieces(voice, minutes, partial(_aligned, voice, "train"))
    train += [Part(f"stamps-{name}", "train", partial(stamps.speak, name)) for name in stamps.LANGUAGES]
    development = [
        Part("development-flite", "development", partial(_flite, FLITE_DEVELOPMENT, "development", (90, 180)),
             _DEVELOPMENT_MINUTES),
        *(Part(f"development-{voice}", "development", partial(_festival, voice, "development", False),
               _DEVELOPMENT_MINUTES) for voice in FESTIVAL_DEVELOPMENT),
        Part(f"development-{ALIGNED_DEVELOPMENT}", "development", partial(_aligned, ALIGNED_DEVELOPMENT, "development"),
             2 * _DEVELOPMENT_MINUTES),
    ]  # fmt: skip
    test = [
        Part("test-slt", "test", _test_slt),
        Part("test-espeak", "test", _test_espeak),
        *(Part(f"test-{voice}", "test", partial(_festival_test, voice)) for voice in FESTIVAL_TEST),
        Part("test-alsa", "test", recorded.alsa),
        Part("test-allison", "test", recorded.allison),
    ]
    release = [
        Part(f"release-{name}", "release", _release_voice(name), minutes) for name, minutes in RELEASE_MINUTES.items()
    ]
    return [*train, *development, *test, *release]


def _pieces(name: str, minutes: float, voices: Voices) -> list[Part]:
    count = ceil(minutes / _LONGEST_PART_MINUTES)
    return [Part(f"{name}-{place}", "train", voices, minutes / count) for place in range(count)]


def _release_voice(name: str) -> Voices:
    if name in aligned_voices.VOICES:
        return partial(_aligned, name, "train")
    kind, _, voice = name.partition("-")
    return partial(_flite, (voice,), "train", None) if kind == "flite" else partial(_festival, voice, "train", True)


def _espeak_train(source: random.Random) -> Iterator[Spoken | None]:
    languages = [name for name in sentences.languages() if name in LANGUAGES and name not in TEST_LANGUAGES]
    while True:
        if source.random() < 0.5:
            language, text = source.choice(ENGLISH_ACCENTS), sentences.any_english(source)
        else:
            language = source.choice(languages)
            text = sentences.any_text(source, language)
        yield _espeak(source, text, language, source.choice(VARIANTS) if source.random() < 0.9 else "")


def _espeak(source: random.Random, text: str, language: str, variant: str) -> Spoken | None:
    return synthesiser().speak(
        text, language, variant, rate=source.randint(115, 205), pitch=source.randint(25, 75),
        pitch_range=source.randint(25, 80),
    )  # fmt: skip


def _flite(
    names: tuple[str, ...], split: str, pitches_hz: tuple[int, int] | None, source: random.Random
) -> Iterator[Spoken]:
    while True:
        text, stretch = sentences.any_english(source, split), source.uniform(*_STRETCH)
        pitch_hz = source.uniform(*pitches_hz) if pitches_hz else None
        yield flite.speak(text, source.choice(names), stretch, pitch_hz)


def _aligned(voice: str, split: str, source: random.Random) -> Iterator[Spoken | None]:
    language = aligned_voices.VOICES[voice].language
    while True:
        text = sentences.any_text(source, language, split)
        stretch, pitch = source.uniform(*_STRETCH), source.uniform(*_PITCH)
        yield aligned_voices.speak(text, voice, stretch, pitch)


def _festival(voice: str, split: str, varied: bool, source: random.Random) -> Iterator[Spoken]:
    language = festival.VOICES[voice].language
    while True:
        lines = [festival.Line(sentences.any_text(source, language, split)) for _ in range(_LINES_AT_ONCE)]
        if varied:
            lines = [festival.Line(line.text, source.uniform(*_STRETCH), source.uniform(*_PITCH)) for line in lines]
        yield from festival.speak(lines, voice)


def _festival_test(voice: str, source: random.Random) -> Iterator[Spoken]:
    language = festival.VOICES[voice].language
    texts = sentences.sentences(language, "test") + [sentences.any_text(source, language, "test") for _ in range(22)]
    yield from festival.speak([festival.Line(text) for text in texts], voice)


def _english_test(source: random.Random) -> list[str]:
    drawn = [sentences.any_english(source, "test") for _ in range(100)]
    return list(dict.fromkeys(sentences.english("test") + drawn))


def _test_slt(source: random.Random) -> Iterator[Spoken]:
    for text in _english_test(source):
        yield flite.speak(text, "slt")


def _test_espeak(source: random.Random) -> Iterator[Spoken | None]:
    for text in _english_test(source)[::2]:
        yield _espeak(source, text, "en-us", source.choice(TEST_VARIANTS))
    for language in TEST_LANGUAGES:
        for _ in range(24):
            text = sentences.any_text(source, language, "test")
            yield _espeak(source, text, language, source.choice(TEST_VARIANTS))
