"""Which files of a folder belong together: a recording, its track, perhaps its transcript; who speaks, and what.

A recording and a track belong together when they bear the same name; among several of that name the one whose folders
agree most. A track that is the only one in its folder goes with that folder's only recording, or with the recording
that is named as the folder. The speaker is the first folder below the source that does not merely name a kind of
file; where there is none, the file's name without the number at its end (VOCASET's `_sentence01`, HDTF's `_000`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
_UNHEARD = (".m4a", ".aac", ".mp4", ".wma", ".opus")
TRACKS = (".npz", ".npy", ".pt", ".pth", ".pkl")
TRANSCRIPTS = (".TextGrid", ".textgrid", ".lab", ".txt")
# Folders that hold a track's frames, one file each.
FRAME_FOLDERS = ("flame_param", "checkpoint")
TEMPLATES = ("templates.pkl", "templates.npz")
# Companions that are no tracks.
_NOT_TRACKS = re.compile(r"templates?|identity|canonical_flame_param|stats_\w+|shape|.*_template|prepared-\w+")
_EPOCH = re.compile(r"tracked_flame_params_(\d+)")
_NUMBERED = re.compile(r"(?P<who>.+?)[_-](?P<what>sentence\d+|e?\d+)$", re.IGNORECASE)
_KINDS = re.compile(
    r"(audios?|wavs?|sounds?|coefs?|coeffs?|params?|tracks?|tracked|flame\w*|vertices\w*|vertex|motions?|npz|npy|text"
    r"|transcripts?|textgrids?|labels?|train|val|valid|test|data|clips?|templates?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Take:
    """One recording with its track.

    Args:
        track: a file, or a folder of frames; audio: its recording; transcript: what lies beside it, or None.
        name: relative to the source, without suffix; speaker: who speaks; sentence: the same for the same words.
    """

    track: Path
    audio: Path
    transcript: Path | None
    name: str
    speaker: str
    sentence: str


def find_takes(source: Path, speaker: str = "") -> tuple[list[Take], list[str]]:
    """All takes in a folder, in the order of their names; and a sentence for each track without a recording.

    Args:
        speaker: who speaks in all of them; empty to tell by folders and names.
    """
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    corpora = {path.parent for path in files if path.name == "corpus.json"}
    files = [path for path in files if corpora.isdisjoint(path.parents)]
    sounds, texts = defaultdict(list), defaultdict(list)
    for path in files:
        if path.suffix.lower() in (*SOUNDS, *_UNHEARD):
            sounds[path.stem].append(path)
        elif path.suffix in TRANSCRIPTS:
            texts[path.stem].append(path)
    tracks = _tracks(files)
    alone = Counter(track.parent for track in tracks)
    takes, problems = [], []
    for track in tracks:
        found = _beside(track, sounds, alone[track.parent] == 1)
        if not found:
            problems.append(f"No recording beside the track, {track}")
        elif len(found) > 1:
            problems.append(f"Several recordings fit to the track ({found[0].name} in {len(found)} folders), {track}")
        elif found[0].suffix.lower() in _UNHEARD:
            problems.append(f"Recording is a {found[0].suffix[1:]} file, {found[0]}, convert it to WAV or FLAC")
        else:
            written = _nearest(found[0], texts[found[0].stem]) or _nearest(track, texts[track.stem])
            transcript = min(written, key=lambda path: TRANSCRIPTS.index(path.suffix)) if written else None
            takes.append(_take(track, found[0], transcript, source, speaker))
    return takes, problems


def _tracks(files: list[Path]) -> list[Path]:
    """Files that may be tracks, and folders of frames; of VHAP's epochs the last."""
    frames = sorted({path.parent for path in files if path.parent.name in FRAME_FOLDERS})
    found, epochs = [], {}
    for path in files:
        if path.suffix.lower() not in TRACKS or path.parent in frames or _NOT_TRACKS.fullmatch(path.stem):
            continue
        if epoch := _EPOCH.fullmatch(path.stem):
            if int(epoch[1]) >= epochs.get(path.parent, (-1, path))[0]:
                epochs[path.parent] = (int(epoch[1]), path)
        else:
            found.append(path)
    return sorted([*found, *frames, *(path for _, path in epochs.values())])


def _beside(track: Path, sounds: dict[str, list[Path]], alone: bool) -> list[Path]:
    if found := _nearest(track, sounds[track.stem]):
        return found
    if not alone:
        return []
    here = [path for paths in sounds.values() for path in paths if path.parent == track.parent]
    return here if len(here) == 1 else _nearest(track, sounds[track.parent.name])


def _nearest(path: Path, candidates: list[Path]) -> list[Path]:
    """The candidates that share most of their folders with `path`."""
    if not candidates:
        return []
    shared = [len(set(path.parent.parts) & set(other.parent.parts)) for other in candidates]
    return [other for other, count in zip(candidates, shared, strict=True) if count == max(shared)]


def _take(track: Path, audio: Path, transcript: Path | None, source: Path, speaker: str) -> Take:
    relative = track.relative_to(source).with_suffix("")
    folders = [part for part in relative.parts[:-1] if not _KINDS.fullmatch(part)]
    # Where the track's own name says nothing, its folder's does.
    general = track.is_dir() or _EPOCH.fullmatch(track.stem)
    stem = audio.stem if general else track.stem
    numbered = _NUMBERED.match(stem)
    if folders and not (general and len(folders) == 1):
        who, what = folders[0], "/".join([*folders[1:], stem])
    elif numbered:
        who, what = numbered["who"], numbered["what"]
        # A bare number says which cut of a film this is, and not which words.
        what = stem if what.isdigit() else what
    else:
        who, what = stem, stem
    return Take(track, audio, transcript, relative.as_posix(), speaker or who, what)
