"""From a corpus to what training reads: augmented log-mel spectra and targets, kept in a folder beside the corpus."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ....errors import ErlnetError
from ....formats.atomic import atomic_path
from ....formats.npz import read_npz
from ..articulation import ARTICULATION
from ..features import MEL_BANDS, log_mel, mel_power, reference_level
from .augmentation import Example, augmented, kind_of, noise_only
from .folder import TRACKED, SpeechCorpus, TrackedMotion

_REVISION = 7
_NOISE_EVERY = 8
_CHUNK = 100
_CROWD = 24
_VERSIONS = 4
RULE_MADE, RECORDED, NO_SPEECH = range(3)
_TIMELINES = {
    "mel": (np.float16, MEL_BANDS), "motion": (np.float16, len(ARTICULATION)), "phones": (np.int8, 0),
    "accents": (np.float16, 0), "tracked": (np.float16, sum(TRACKED.values())),
}  # fmt: skip
# Corpora without filmed people have none of these.
_OF_FILMED_PEOPLE = ("tracked", "tracked_starts")


@dataclass
class Prepared:
    """All examples end to end; example i lies in frames starts[i] .. starts[i + 1] at 50 Hz. Read from disk as needed.

    Args:
        mel: (2T, 80) float16 at 100 Hz; motion: (T, 11) float16; phones: (T,) int8; accents: (T,) float16.
        starts: (n + 1,) int64; pools: (n,) int8: 0 = rule-made voices (espeak-ng), 1 = voices of recorded speakers,
            2 = no speech; voices: (n,) int32: which voice of the corpus, in order of first appearance; -1 = none.
        tracked: (M, 32) float16, `TrackedMotion.joined` of the examples of filmed people, where there are any;
            tracked_starts: (n + 1,) int64, where those of example i begin and end.
    """

    mel: np.ndarray
    motion: np.ndarray
    phones: np.ndarray
    accents: np.ndarray
    starts: np.ndarray
    pools: np.ndarray
    voices: np.ndarray
    tracked: np.ndarray | None = None
    tracked_starts: np.ndarray | None = None

    def tracked_of(self, index: int) -> TrackedMotion | None:
        """How a filmed person moved in example `index`, frame by frame with its motion; None for the others."""
        if self.tracked is None or self.tracked_starts is None:
            return None
        begin, end = self.tracked_starts[index : index + 2]
        return TrackedMotion.parted(self.tracked[begin:end].astype(np.float32)) if end > begin else None


def prepare(
    corpus: SpeechCorpus, seed: int, report=print, *, splits: Sequence[str] = ("train",), processes: int | None = None
) -> Prepared:
    """Augment the recordings of some splits, or read them back from last time.

    Rule-made voices are taken once or twice, voices of recorded speakers three to five times: the rarer a voice, the
    more. A run that was stopped goes on where it was; the result depends on the corpus, the seed and the splits only.

    Args:
        processes: how many work at once; by default one for each core, and one alone for less than 20 minutes.

    Raises:
        ErlnetError: these splits have no recordings, or they are damaged, or the folder cannot be written.
    """
    entries = [entry for split in splits for entry in corpus.entries(split)]
    if not entries:
        raise ErlnetError(f"Speech corpus has no {' or '.join(splits)} recordings", corpus.folder, "build it again")
    known = [(entry["name"], entry["duration_s"], entry["voice"], kind_of(entry)) for entry in entries]
    text = json.dumps([_REVISION, seed, known])
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = corpus.folder / f"prepared-{key}"
    if not folder.is_dir():
        parts = corpus.folder / f".prepared-{key}.parts"
        try:
            parts.mkdir(exist_ok=True)
            _work_through(corpus, entries, seed, parts, report, processes)
            _join(sorted(parts.glob("part-*.npz")), parts / "joined")
            os.replace(parts / "joined", folder)
            shutil.rmtree(parts)
        except OSError as error:
            raise ErlnetError(
                f"Prepared corpus cannot be written ({error.strerror or error})", corpus.folder, "make room for it"
            ) from error
    return read_prepared(folder)


def read_prepared(folder: Path) -> Prepared:
    """What `prepare` wrote, mapped into memory.

    Raises:
        ErlnetError: a file is missing or damaged.
    """
    try:
        arrays = {
            field.name: np.load(folder / f"{field.name}.npy", mmap_mode="r", allow_pickle=False)
            for field in fields(Prepared)
            if field.name not in _OF_FILMED_PEOPLE or (folder / f"{field.name}.npy").exists()
        }
    except (OSError, ValueError) as error:
        raise ErlnetError("Prepared corpus is damaged", folder, "delete this folder") from error
    return Prepared(**arrays)


def _work_through(
    corpus: SpeechCorpus, entries: list[dict], seed: int, parts: Path, report, processes: int | None
) -> None:
    chunks = [
        range(begin, min(begin + _CHUNK, len(entries)))
        for begin in range(0, len(entries), _CHUNK)
        if not (parts / f"part-{begin:08d}.npz").is_file()
    ]
    long = sum(entry["duration_s"] for entry in entries) > 1200
    processes = min(processes or (os.cpu_count() or 1 if long else 1), len(chunks))
    work = partial(_prepare_chunk, corpus.folder, entries, seed, _versions(entries), parts)
    if processes <= 1:
        for chunk in chunks:
            work(chunk)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for done, chunk in enumerate(pool.map(work, chunks)):
            if done % 10 == 9:
                report(f"prepared {chunk.stop} of {len(entries)} recordings", flush=True)


def _versions(entries: list[dict]) -> list[int]:
    """How many versions to make of every recording."""
    seconds: Counter[str] = Counter()
    for entry in entries:
        if kind_of(entry) != "espeak":
            seconds[entry["voice"]] += entry["duration_s"]
    usual_s = float(np.median(list(seconds.values()))) if seconds else 1.0
    versions = []
    for index, entry in enumerate(entries):
        if kind_of(entry) == "espeak":
            versions.append(1 + index % 2)
        else:
            rarity = (usual_s / max(seconds[entry["voice"]], 1.0)) ** 0.5
            versions.append(int(np.clip(round(_VERSIONS * rarity), 3, 5)))
    return versions


def _prepare_chunk(
    folder: Path, entries: list[dict], seed: int, versions: list[int], parts: Path, chunk: range
) -> range:
    corpus = SpeechCorpus(folder)
    names = list(dict.fromkeys(entry["voice"] for entry in entries))
    choice = np.random.default_rng([seed, chunk.start, 1])
    people = [corpus.read(entries[other]).samples for other in choice.integers(len(entries), size=_CROWD)]
    made: list[tuple[np.ndarray, Example]] = []
    pools: list[int] = []
    voices: list[int] = []
    for index in chunk:
        entry = entries[index]
        random = np.random.default_rng([seed, index])
        recording = corpus.read(entry)
        crowd = [people[other] for other in random.integers(_CROWD, size=4)]
        for _ in range(versions[index]):
            made.append(_features(augmented(recording, random, crowd), random))
            pools.append(RULE_MADE if kind_of(entry) == "espeak" else RECORDED)
            voices.append(names.index(entry["voice"]))
        if index % _NOISE_EVERY == 0:
            made.append(_features(noise_only(random, random.uniform(3, 7)), random))
            pools.append(NO_SPEECH)
            voices.append(-1)
    with atomic_path(parts / f"part-{chunk.start:08d}.npz") as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            mel=np.concatenate([mel for mel, _ in made]),
            motion=np.concatenate([example.motion for _, example in made]).astype(np.float16),
            phones=np.concatenate([example.phones for _, example in made]),
            accents=np.concatenate([example.accents for _, example in made]).astype(np.float16),
            tracked=np.concatenate([_tracked(example) for _, example in made]),
            tracked_lengths=np.array([len(_tracked(example)) for _, example in made], np.int64),
            lengths=np.array([len(example.motion) for _, example in made], np.int64),
            pools=np.array(pools, np.int8),
            voices=np.array(voices, np.int32),
        )
    return chunk


def _features(example: Example, random: np.random.Generator) -> tuple[np.ndarray, Example]:
    """Mel with a level that is off by up to 5 dB, and both cut to the same number of 20 ms frames."""
    power = mel_power(example.samples)
    reference = reference_level(power.mean(1)) * 10 ** (random.uniform(-5, 5) / 10)
    count = min(len(power) // 2, len(example.motion))
    mel = log_mel(power[: 2 * count], reference).numpy().astype(np.float16)
    curves = (example.motion[:count], example.phones[:count], example.accents[:count])
    return mel, Example(example.samples[:0], *curves, None if example.tracked is None else example.tracked[:count])


def _tracked(example: Example) -> np.ndarray:
    """(T, 32) float16, no rows for those who were not filmed."""
    rows = np.zeros((0, sum(TRACKED.values()))) if example.tracked is None else example.tracked
    return rows.astype(np.float16)


def _join(parts: list[Path], folder: Path) -> None:
    """One .npy for each field, without holding more than one part in memory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    read = partial(read_npz, what="part of the prepared corpus")
    small = [{name: array for name, array in read(path).items() if name not in _TIMELINES} for path in parts]
    starts = np.concatenate([[0], *[arrays["lengths"] for arrays in small]]).cumsum()
    np.save(folder / "starts.npy", starts)
    followed = np.concatenate([[0], *[arrays["tracked_lengths"] for arrays in small]]).cumsum()
    timelines = [name for name in _TIMELINES if name != "tracked" or followed[-1]]
    if followed[-1]:
        np.save(folder / "tracked_starts.npy", followed)
    for name in ("pools", "voices"):
        np.save(folder / f"{name}.npy", np.concatenate([arrays[name] for arrays in small]))
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.npy").open("wb")) for name in timelines}
        for name in timelines:
            kind, columns = _TIMELINES[name]
            rows = int(followed[-1]) if name == "tracked" else int(starts[-1]) * (2 if name == "mel" else 1)
            header = {
                "descr": np.dtype(kind).str,
                "fortran_order": False,
                "shape": (rows, columns) if columns else (rows,),
            }
            np.lib.format.write_array_header_1_0(files[name], header)
        for path in parts:
            arrays = read(path)
            for name, file in files.items():
                file.write(np.ascontiguousarray(arrays[name]).data)
