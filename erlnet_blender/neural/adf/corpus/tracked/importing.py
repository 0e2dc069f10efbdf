"""A folder of recordings and tracks to items of a corpus folder; corpus.json is written last, at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from .....errors import Cancelled, ErlnetError
from .....formats.atomic import atomic_path, write_bytes
from .....formats.audio import load_audio
from .....formats.head_model import HeadModel
from ...articulation import ARTICULATION, CHANNEL_RATE_HZ, PHONE_CLASSES, column
from ...closure import runs
from ...features import SAMPLE_RATE_HZ
from ...predictor import SpeechToFace
from ..folder import FORMAT, VERSION, SpeechCorpus
from .clips import clips_of
from .faces import check_head, face_of
from .hearing import Heard, hear, phones_heard, speech_gate
from .neutral import Manner, Performance, manner_of, neutral_motion, seals_of
from .sequences import Sequence, read_sequence
from .takes import Take, find_takes
from .templates import Templates
from .transcripts import Transcript, classes_at, read_transcript

SPLITS = ("train", "development", "test", "release")
RATES_HZ = (24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 73.0, 100.0, 120.0)
_MOTION_RATE_HZ = 100
_HELD_OUT_SHARE, _FEWEST_TO_HOLD_OUT = 0.1, 4
_LENGTHS_MAY_DIFFER_S, _LENGTHS_MAY_DIFFER = 0.5, 0.03
_CONFIRMED_WITHIN_S = 0.05
_LABIODENTAL = ("f", "v")


@dataclass(frozen=True)
class Settings:
    """What the folder does not tell.

    Args:
        speaker: who speaks in all recordings; empty: told by folders and names.
        split: one of SPLITS for all; empty: a tenth of the speakers to test, a tenth of the others' sentences to
            development (where there are four or more), as their names' digests have it.
        fps: of tracks that do not say; None: the usual rate that fits the recording's length.
        late_s: by how much the tracks run after the sound.
        language: a BCP 47 tag for the items.
        append: add to the corpus that is there.
    """

    speaker: str = ""
    split: str = ""
    fps: float | None = None
    late_s: float = 0.0
    language: str = "und"
    append: bool = False


@dataclass
class Imported:
    """What was added: items, their seconds, their speakers; and sentences on what was left out and assumed."""

    items: int = 0
    duration_s: float = 0.0
    speakers: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_recordings(
    source: Path, folder: Path, settings: Settings, head: HeadModel | None = None,
    progress: Callable[..., None] | None = None, cancelled: Callable[[], bool] | None = None,
) -> Imported:  # fmt: skip
    """Add every take below `source` to the corpus in `folder`; see `takes` for what belongs together.

    Args:
        head: the model that the tracks are of; none is needed for the default head's own.

    Raises:
        ErlnetError: no takes, none that can be used, a head model is needed, or the corpus is no corpus.
        Cancelled: `cancelled` says so; then nothing has been added.
    """
    index = _index_of(folder, settings.append)
    done = Imported()
    takes, done.left_out = find_takes(source, settings.speaker)
    if not takes:
        raise ErlnetError(
            done.left_out[0] if done.left_out else "No tracks (.npz, .npy, .pt, .pkl) in this folder", source,
            "put recordings and tracks of the same name there, see docs/training/corpus.md",
        )  # fmt: skip
    by_speaker = defaultdict(list)
    for take in takes:
        by_speaker[take.speaker].append(take)
    splits = _splits(takes, index["items"], settings.split)
    writer = _Writer(folder, index, settings, splits, done)
    maker = _Maker(source, head, settings, SpeechToFace.load(), done)
    seen = 0
    try:
        for speaker, own in sorted(by_speaker.items()):
            ready = []
            for take in own:
                if cancelled is not None and cancelled():
                    raise Cancelled
                if progress is not None:
                    progress(seen / len(takes), take.name)
                seen += 1
                if (performed := maker.perform(take)) is not None:
                    ready.append(performed)
            if ready:
                manner = manner_of([performance for _, performance, _ in ready])
                if manner.sealed_mm is None:
                    done.notes.append(f"{speaker}: the lips never meet in these tracks: no closure is learnt of them")
                for take, performance, transcript in ready:
                    writer.write(take, performance, transcript, manner, maker.model)
        if not done.items:
            raise ErlnetError("None of the recordings can be used", source, "; ".join(done.left_out[:3]))
        writer.finish(source)
    except BaseException:
        writer.undo()
        raise
    return done


def _index_of(folder: Path, append: bool) -> dict:
    if append:
        return dict(SpeechCorpus(folder).index)
    if (folder / "corpus.json").exists():
        raise ErlnetError("There is a corpus in this folder", folder, "add to it with --append or choose another")
    return {
        "format": FORMAT, "version": VERSION, "sample_rate_hz": SAMPLE_RATE_HZ, "motion_rate_hz": _MOTION_RATE_HZ,
        "channels": list(ARTICULATION), "phone_classes": list(PHONE_CLASSES), "made_by": "", "items": [],
    }  # fmt: skip


def _splits(takes: list[Take], items: list[dict], chosen: str) -> Callable[[Take], str]:
    """Which split a take goes to; who and what is in the corpus already stays where it is."""
    if chosen:
        return lambda take: chosen

    def held_out(names: set[str]) -> set[str]:
        if len(names) < _FEWEST_TO_HOLD_OUT:
            return set()
        ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
        return set(ordered[: max(1, round(_HELD_OUT_SHARE * len(names)))])

    speakers = {item["speaker"]: item["split"] == "test" for item in items if "speaker" in item}
    tested = held_out({take.speaker for take in takes} - speakers.keys())
    tested |= {who for who, is_tested in speakers.items() if is_tested}
    known = {item["sentence"]: item["split"] for item in items if item.get("sentence") and item["split"] != "test"}
    others = {take.sentence for take in takes if take.speaker not in tested}
    developed = held_out(others - known.keys()) | {what for what, split in known.items() if split == "development"}

    def split(take: Take) -> str:
        return "test" if take.speaker in tested else "development" if take.sentence in developed else "train"

    return split


class _Maker:
    """Takes to performances; one that cannot be used is named in `done.left_out`."""

    def __init__(self, source: Path, head: HeadModel | None, settings: Settings, model: SpeechToFace, done: Imported):
        self.head, self.settings, self.model, self.done = head, settings, model, done
        self.templates = Templates(source)

    def perform(self, take: Take) -> tuple[Take, Performance, Transcript] | None:
        """What is seen and heard of a take; None if it cannot be used."""
        try:
            sequence = read_sequence(take.track)
        except ErlnetError as error:
            self.done.left_out.append(str(error))
            return None
        if self.head is None:  # missing for all of them, which is no fault of this take
            try:
                check_head(sequence, None)
            except ErlnetError as error:
                raise _about(error, take.track) from error
        try:
            samples = load_audio(take.audio, rate_hz=SAMPLE_RATE_HZ).samples
            fps = _fps(sequence, len(samples) / SAMPLE_RATE_HZ, self.settings.fps, take)
            transcript = read_transcript(take.transcript) if take.transcript else Transcript("", [])
            face = face_of(sequence, fps, self.head, self.templates.of(take.speaker))
            gate = speech_gate(self.model, samples)
        except ErlnetError as error:
            self.done.left_out.append(str(error if error.where else _about(error, take.track)))
            return None
        if not gate.any():
            self.done.left_out.append(f"No speech is heard, {take.audio}")
            return None
        self.done.notes += [f"{take.name}: {note}" for note in face.notes]
        return take, Performance(face, gate, self.settings.late_s), transcript


def _about(error: ErlnetError, where: Path) -> ErlnetError:
    return ErlnetError(error.what, where, error.remedy)


def _fps(sequence: Sequence, sound_s: float, chosen: float | None, take: Take) -> float:
    """The frame rate of a track.

    Raises:
        ErlnetError: track and recording are not of one length.
    """
    count = len(sequence)
    slack_s = max(_LENGTHS_MAY_DIFFER_S, _LENGTHS_MAY_DIFFER * sound_s)
    rate = sequence.fps or chosen
    if rate is None:
        off_s = {rate_hz: abs(count / rate_hz - sound_s) for rate_hz in RATES_HZ}
        nearest_s = min(off_s.values())
        # Within two frames whole rates are likelier than television's.
        rate = min((r for r in off_s if off_s[r] <= nearest_s + 2 / r), key=lambda r: (r != round(r), off_s[r]))
    if abs(count / rate - sound_s) > slack_s:
        lengths = f"the recording lasts {sound_s:.1f} s, its {count} frames {count / rate:.1f} s at {rate:.4g} fps"
        raise ErlnetError(f"Track and recording do not fit: {lengths}", take.track, "give the frame rate with --fps")
    return rate


class _Writer:
    """Writes items, and at the end the index."""

    def __init__(self, folder: Path, index: dict, settings: Settings, splits: Callable[[Take], str], done: Imported):
        self.folder, self.index, self.settings, self.splits, self.done = folder, index, settings, splits, done
        self.names = {item["name"] for item in index["items"]}
        self.items: list[dict] = []
        self.files: list[Path] = []

    def write(
        self, take: Take, performance: Performance, transcript: Transcript, manner: Manner, model: SpeechToFace
    ) -> None:
        """The clips of a take."""
        stem = re.sub(r"[^A-Za-z0-9_.]+", "-", f"tracked-{take.speaker}-{take.name}").strip("-")
        samples = load_audio(take.audio, rate_hz=SAMPLE_RATE_HZ).samples
        end_s = min(len(samples) / SAMPLE_RATE_HZ, float(performance.face_times_s[-1] + 0.5 / performance.face.fps))
        clips = clips_of(performance.gate, end_s)
        if f"{stem}-00" in self.names or not clips:
            why = "Already in the corpus" if clips else "Too little speech"
            self.done.left_out.append(f"{why}, {take.track}")
            return
        self.names.add(f"{stem}-00")
        for number, (start_s, end_s) in enumerate(clips):
            cut = _cut(performance, transcript, manner, hear(model, samples, start_s, end_s), start_s, end_s,
                       float(self.index["motion_rate_hz"]))  # fmt: skip
            item = {
                "name": f"{stem}-{number:02d}",
                "split": self.splits(take),
                "kind": "tracked",
                "language": self.settings.language,
                "voice": take.speaker,
                "speaker": take.speaker,
                "sentence": take.sentence,
                "text": transcript.text if len(clips) == 1 else "",
                "duration_s": round(end_s - start_s, 4),
                **cut.times,
            }
            sound = samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
            self._write_item(item["name"], sound, cut.arrays)
            self.items.append(item)
            self.done.items += 1
            self.done.duration_s += item["duration_s"]
        if clips and take.speaker not in self.done.speakers:
            self.done.speakers.append(take.speaker)

    def _write_item(self, name: str, sound: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
        path = self.folder / f"{name}.flac"
        with atomic_path(path) as temporary:
            soundfile.write(temporary, np.clip(sound, -1, 1), SAMPLE_RATE_HZ, subtype="PCM_16")
        self.files.append(path)
        with atomic_path(path.with_name(f"{name}.npz")) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        self.files.append(path.with_name(f"{name}.npz"))

    def finish(self, source: Path) -> None:
        """Write corpus.json with the new items."""
        made = f"{len(self.items)} tracked recordings of {len(self.done.speakers)} speakers from {source.name}"
        before = self.index.get("made_by", "")
        index = self.index | {"made_by": f"{before}; {made}".strip("; "), "items": [*self.index["items"], *self.items]}
        write_bytes(self.folder / "corpus.json", json.dumps(index, ensure_ascii=False, indent=0).encode())

    def undo(self) -> None:
        """Take away what was written, when no index will name it."""
        for path in self.files:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Cut:
    arrays: dict[str, np.ndarray]
    times: dict[str, list]


def _cut(
    performance: Performance, transcript: Transcript, manner: Manner, heard: Heard, start_s: float, end_s: float,
    rate_hz: float,
) -> _Cut:  # fmt: skip
    """The arrays and the times of one clip."""
    times_s = start_s + (np.arange(max(1, round((end_s - start_s) * rate_hz))) + 0.5) / rate_hz
    written = [(max(a, start_s), min(b, end_s), name) for a, b, name in transcript.phones if a < end_s and b > start_s]
    seals = [seal for seal in seals_of(performance, manner.sealed_mm) if seal[0] < end_s and seal[1] > start_s]
    if written:
        near = [(a - _CONFIRMED_WITHIN_S, b + _CONFIRMED_WITHIN_S) for a, b, name in written if name in ("m", "b", "p")]
        seals = [seal for seal in seals if any(a < seal[1] and b > seal[0] for a, b in near)]
    mouth, seen = performance.mouth_at(times_s, seals)
    gate = performance.gate_at(times_s)
    own_s = start_s + (np.arange(len(heard.accents)) + 0.5) / CHANNEL_RATE_HZ
    there = np.clip(np.round((times_s - own_s[0]) * CHANNEL_RATE_HZ).astype(int), 0, len(own_s) - 1)
    articulation = np.stack([np.interp(times_s, own_s, curve) for curve in heard.articulation.T], 1)
    sound = Heard(articulation, np.interp(times_s, own_s, heard.accents), heard.phones[there])
    motion = neutral_motion(mouth, seen, sound, gate, manner)
    hidden = [index for index in range(len(ARTICULATION)) if not seen[index]]
    mouth[:, hidden] = motion[:, hidden]
    speaking = gate > 0.5
    phones = classes_at(written, times_s) if written else None
    if phones is None:
        phones = phones_heard(sound.phones, speaking, mouth[:, column("closure")] > 0.5)
    shown = {"closures": seals, "labiodentals": _stretches(motion[:, ARTICULATION.index("lip_tuck")] > 0.5, times_s)}
    if written:
        shown = {"closures": [(a, b) for a, b, name in written if name in ("m", "b", "p")],
                 "labiodentals": [(a, b) for a, b, name in written if name in _LABIODENTAL]}  # fmt: skip
    times = {
        key: [[round(max(0.0, a - start_s), 4), round(min(b, end_s) - start_s, 4)] for a, b in spans]
        for key, spans in shown.items()
    }
    times["phones"] = [[round(a - start_s, 4), round(b - start_s, 4), name] for a, b, name in written]
    face = performance.face
    arrays = {
        "motion": motion.astype(np.float16), "phones": phones,
        "accents": (sound.accents * gate).astype(np.float16), "mouth": mouth.astype(np.float16),
        "head": performance.at(times_s, face.head), "eyelids": performance.at(times_s, face.eyelids).astype(np.float16),
        "gaze": performance.at(times_s, face.gaze).astype(np.float16),
    }  # fmt: skip
    return _Cut(arrays, times)


def _stretches(mask: np.ndarray, times_s: np.ndarray) -> list[tuple[float, float]]:
    half_s = 0.5 * (times_s[1] - times_s[0]) if len(times_s) > 1 else 0.0
    return [(float(times_s[a] - half_s), float(times_s[b - 1] + half_s)) for a, b in runs(mask)]
