"""Writing the corpus folder; its format is described in docs/training/corpus.md, who speaks in it in `cast`."""

from __future__ import annotations

import json
import random
from functools import partial
from math import gcd
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from erlnet_blender.formats.atomic import atomic_path, write_bytes
from erlnet_blender.neural.adf.articulation import ARTICULATION, PHONE_CLASSES

from . import viterbi
from .articulatory_targets import VOWELS
from .cast import Part, parts
from .coarticulation import RATE_HZ, articulation, frame_times_s, phone_classes
from .phones import BILABIAL, LABIODENTAL, SILENCE, closure_interval
from .spoken import Spoken

SAMPLE_RATE_HZ = 16000
FORMAT, VERSION = "erlnet-speech-corpus", 1
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
        "kind": spoken.kind,
        "language": spoken.language,
        "text": spoken.text,
        "duration_s": round(duration_s, 4),
        "closures": [[round(a, 4), round(b, 4)] for a, b in closures],
        "labiodentals": [[round(a, 4), round(b, 4)] for a, b in tucks],
        "phones": [[round(p.start_s, 4), round(p.end_s, 4), p.symbol] for p in spoken.phones],
    }


def build(
    folder: Path, espeak_minutes: float, flite_minutes: float, festival_minutes: float, aligned_minutes: float,
    seed: int = 1, listener: Path | None = None, report=print,
) -> dict:  # fmt: skip
    """Speak, label and write the whole corpus, its parts beside each other; returns corpus.json.

    Args:
        listener: weights of the speech model by which phones are found where nobody tells their times; None: those
            that ship.

    Raises:
        ErlnetError: a synthesiser is missing, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = parts(espeak_minutes, flite_minutes, festival_minutes, aligned_minutes)
    items: list[dict] = []
    # A new process for each part: what espeak-ng says also depends on what it said before.
    with get_context("spawn").Pool(maxtasksperchild=1) as pool:
        for part, written in zip(plan, pool.imap(partial(_write_part, folder, seed, listener), plan), strict=True):
            items += written
            minutes, closures = sum(i["duration_s"] for i in written) / 60, sum(len(i["closures"]) for i in written)
            report(f"{part.name}: {len(written)} recordings, {minutes:.1f} min, {closures} bilabials", flush=True)
    index = {
        "format": FORMAT,
        "version": VERSION,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "motion_rate_hz": RATE_HZ,
        "channels": list(ARTICULATION),
        "phone_classes": list(PHONE_CLASSES),
        "made_by": f"studio.speech seed {seed}, espeak-ng, flite, Festival, RHVoice, Pico and Tux Paint's stamps, "
        "dominance functions (Cohen & Massaro 1993)",
        "items": items,
    }
    write_bytes(folder / "corpus.json", json.dumps(index, ensure_ascii=False, indent=0).encode())
    return index


def _write_part(folder: Path, seed: int, listener: Path | None, part: Part) -> list[dict]:
    """Speak and write one part; the same part, seed and listener give the same recordings, whatever else is made."""
    viterbi.listen_with(listener)
    items: list[dict] = []
    spoken_s = 0.0
    for spoken in part.voices(random.Random(f"{seed} {part.name}")):
        if spoken is None or not any(phone.symbol != SILENCE for phone in spoken.phones):
            continue
        items.append(write_item(folder, f"{part.name}-{len(items):05d}", part.split, spoken))
        spoken_s += items[-1]["duration_s"]
        if part.minutes is not None and spoken_s >= part.minutes * 60:
            break
    return items
