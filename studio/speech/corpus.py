"""Writing the corpus folder; its format is described in docs/training/corpus.md.

Splits: `train`; `development`, on which thresholds are chosen (sentences that training never sees, voices that it
does); `test`, on which figures are quoted: flite's slt, two espeak-ng variants and two languages, none of them trained.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from erlnet_blender.formats.atomic import atomic_path, write_bytes
from erlnet_blender.neural.adf.articulation import ARTICULATION, PHONE_CLASSES

from . import sentences
from .articulatory_targets import VOWELS
from .coarticulation import RATE_HZ, articulation, frame_times_s, phone_classes
from .espeak import VARIANTS, synthesiser
from .flite import speak as speak_flite
from .phones import BILABIAL, LABIODENTAL, closure_interval
from .spoken import Spoken

SAMPLE_RATE_HZ = 16000
FORMAT, VERSION = "erlnet-speech-corpus", 1
ENGLISH_ACCENTS = ("en-us", "en-us", "en-gb", "en-sc", "en-rp", "en-029")
TEST_VARIANTS = ("f4", "m7")
TEST_LANGUAGES = ("it", "hu")
# Voice, share of the recordings, range of mean pitch in hertz. kal and kal16 are diphone voices, the rest statistical.
TRAIN_VOICES = (("kal", 1, (80, 190)), ("kal16", 2, (80, 200)), ("awb", 3, (90, 210)), ("rms", 3, (75, 180)))
_ACCENTED_VOWEL_S = 0.105


def accents(spoken: Spoken, duration_s: float) -> np.ndarray:
    """(N,) how strongly the speaker stresses each moment, 0..about 1.5, at `RATE_HZ`.

    A rule: a vowel longer than 105 ms is accented, more so when it is long and loud; each is a Gaussian of 110 ms.
    """
    times_s, curve = frame_times_s(duration_s), np.zeros(max(1, round(duration_s * RATE_HZ)))
    long_vowels = [p for p in spoken.phones if p.symbol in VOWELS and p.duration_s > _ACCENTED_VOWEL_S]
    loudness = [_level(spoken, phone.start_s, phone.end_s) for phone in long_vowels]
    loudest = max(loudness, default=1.0) or 1.0
    for phone, loud in zip(long_vowels, loudness, strict=True):
        strength = min(1.0, phone.duration_s / 0.2) * (0.4 + 0.6 * loud / loudest)
        curve += strength * np.exp(-0.5 * ((times_s - (phone.start_s + phone.end_s) / 2) / 0.11) ** 2)
    return np.clip(curve, 0, 1.5).astype(np.float32)


def _level(spoken: Spoken, start_s: float, end_s: float) -> float:
    rate_hz = spoken.sample_rate_hz
    part = spoken.samples[int(start_s * rate_hz) : int(end_s * rate_hz)]
    return float(np.sqrt(np.mean(part**2))) if len(part) else 0.0


def write_item(folder: Path, name: str, split: str, spoken: Spoken) -> dict:
    """Write NAME.flac and NAME.npz; returns the item's entry in corpus.json."""
    common = gcd(SAMPLE_RATE_HZ, spoken.sample_rate_hz)
    samples = resample_poly(spoken.samples, SAMPLE_RATE_HZ // common, spoken.sample_rate_hz // common)
    duration_s = len(samples) / SAMPLE_RATE_HZ
    soundfile.write(folder / f"{name}.flac", np.clip(samples, -1, 1), SAMPLE_RATE_HZ, subtype="PCM_16")
    with atomic_path(folder / f"{name}.npz") as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            motion=articulation(spoken.phones, duration_s).astype(np.float16),
            phones=phone_classes(spoken.phones, duration_s),
            accents=accents(spoken, duration_s).astype(np.float16),
        )
    closures = [closure_interval(p) for p in spoken.phones if p.symbol in BILABIAL]
    tucks = [(p.start_s, p.end_s) for p in spoken.phones if p.symbol in LABIODENTAL]
    return {
        "name": name,
        "split": split,
        "voice": spoken.voice,
        "text": spoken.text,
        "duration_s": round(duration_s, 4),
        "closures": [[round(a, 4), round(b, 4)] for a, b in closures],
        "labiodentals": [[round(a, 4), round(b, 4)] for a, b in tucks],
        "phones": [[round(p.start_s, 4), round(p.end_s, 4), p.symbol] for p in spoken.phones],
    }


def _espeak_train(source: random.Random) -> Iterator[Spoken | None]:
    languages = [language for language in sentences.languages() if language not in TEST_LANGUAGES]
    while True:
        if source.random() < 0.55:
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


def _flite_train(source: random.Random, split: str) -> Iterator[Spoken]:
    while True:
        voice, _, pitches_hz = source.choices(TRAIN_VOICES, [share for _, share, _ in TRAIN_VOICES])[0]
        yield speak_flite(
            sentences.any_english(source, split), voice, source.uniform(0.85, 1.35), source.uniform(*pitches_hz)
        )


def _test_voices(source: random.Random) -> Iterator[Spoken | None]:
    texts = sentences.english("test") + [sentences.made_up(source) for _ in range(30)]
    texts += [sentences.pseudo_words(source) for _ in range(8)]
    for text in texts:
        yield speak_flite(text, "slt")
    for text in texts[::2]:
        yield _espeak(source, text, "en-us", source.choice(TEST_VARIANTS))
    for language in TEST_LANGUAGES:
        for _ in range(16):
            yield _espeak(source, sentences.any_text(source, language), language, source.choice(TEST_VARIANTS))


def build(folder: Path, espeak_minutes: float, flite_minutes: float, seed: int = 1, report=print) -> dict:
    """Speak, label and write the whole corpus; returns corpus.json.

    Raises:
        ErlnetError: a synthesiser is missing, or the folder cannot be written.
    """
    source = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    plan: list[tuple[str, str, Iterator[Spoken | None], float]] = [
        ("espeak", "train", _espeak_train(source), espeak_minutes * 60),
        ("flite", "train", _flite_train(source, "train"), flite_minutes * 60),
        ("development", "development", _flite_train(random.Random(seed + 100), "development"), 240.0),
        ("test", "test", _test_voices(random.Random(seed + 200)), float("inf")),
    ]
    items: list[dict] = []
    for prefix, split, voices, wanted_s in plan:
        spoken_s, count = 0.0, 0
        for spoken in voices if wanted_s > 0 else ():
            if spoken is None or not any(phone.symbol != "_" for phone in spoken.phones):
                continue
            items.append(write_item(folder, f"{prefix}-{count:05d}", split, spoken))
            spoken_s, count = spoken_s + items[-1]["duration_s"], count + 1
            if count % 500 == 0:
                report(f"{prefix}: {count} recordings, {spoken_s / 60:.1f} min", flush=True)
            if spoken_s >= wanted_s:
                break
        report(f"{prefix}: {count} recordings, {spoken_s / 60:.1f} min in all", flush=True)
    index = {
        "format": FORMAT,
        "version": VERSION,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "motion_rate_hz": RATE_HZ,
        "channels": list(ARTICULATION),
        "phone_classes": list(PHONE_CLASSES),
        "made_by": f"studio.speech seed {seed}, espeak-ng and flite, dominance functions (Cohen & Massaro 1993)",
        "items": items,
    }
    write_bytes(folder / "corpus.json", json.dumps(index, ensure_ascii=False, indent=0).encode())
    return index
