"""A dataset of any dialect becomes a capture of ours, whole or not at all, with a line for all that was assumed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....errors import ErlnetError
from ....face_track import FaceTrack
from ....formats.head_model import HeadModel, default_head_path
from ..dataset import CaptureDataset, frame_entry
from .bfm_heads import AD_NERF, RAD_NERF
from .folder import Folder
from .footage import Dialect, Footage, Progress, Take
from .gaussian_avatars import GAUSSIAN_AVATARS
from .imavatar import IMAVATAR
from .insta import INSTA
from .nerf_index import first_frame
from .nerface import NERFACE
from .pictures import straight_rgba
from .torso import from_the_camera, on_other_head, with_still_torso
from .tracking import track_frames

VERSION = 1  # one more whenever the same dataset becomes another capture
DIALECTS = (GAUSSIAN_AVATARS, INSTA, IMAVATAR, AD_NERF, RAD_NERF, NERFACE)
STILL, TRACKED = "still", "tracked"
_MADE = "made_from"
_TORSO_NOTES = {
    STILL: "torso: nobody tracked it; it stands still and faces where the head does on average, the neck does all the "
    "turning, the root moves only as the neck's joint does",
    TRACKED: "torso: root and neck move as they were tracked",
}


@dataclass(frozen=True)
class _Wish:
    """What a conversion is asked for: the head of the result, that of the coefficients, and the torso."""

    head: HeadModel
    tracked_with: HeadModel
    torso: str


def is_capture(folder: str | os.PathLike) -> bool:
    """Whether this is a capture of our own."""
    return all((Path(folder) / name).is_file() for name in ("transforms.json", "track.npz"))


def dialect_of(folder: str | os.PathLike) -> Dialect | None:
    """The dialect of a foreign dataset, None if it is none that is known; never raises."""
    inside = Folder(Path(folder))
    for dialect in DIALECTS if inside.path.is_dir() else ():
        try:
            if dialect.recognises(inside):
                return dialect
        except (ErlnetError, OSError):
            continue
    return None


def as_capture(
    folder: str | os.PathLike,
    converted_to: str | os.PathLike,
    head: HeadModel | None = None,
    tracked_with: HeadModel | None = None,
    torso: str = STILL,
    progress: Progress | None = None,
    tracker: Callable = track_frames,
) -> tuple[CaptureDataset, list[str]]:
    """Any dataset as a capture, and what was assumed of it.

    A capture of our own is used where it is. Anything else is converted into the folder `converted_to`; if it is there
    from before, of the same dataset and for the same head, it is used again.

    Args:
        head: of the avatar; None: the head that was tracked, or the shipped one where nobody tracked FLAME.
        tracked_with: which FLAME head the dataset's coefficients are for, if not for `head`; they are refitted.
        torso: STILL, or TRACKED to leave root and neck as the dataset has them.
        tracker: what finds the face where the dataset has no coefficients, see `tracking.track_frames`.

    Raises:
        ErlnetError: no known dataset, damaged, its head is not named, or the place cannot be written to.
    """
    folder, out = Path(folder), Path(converted_to)
    dialect = dialect_of(folder)
    if dialect is None:
        if is_capture(folder):
            return CaptureDataset.load(folder), ["dataset: a capture of ERLNet's own, used as it is"]
        if folder.is_dir():
            first_frame(Folder(folder))  # an index that cannot be read is the better reason
        raise _unknown(folder)
    named = tracked_with or head
    if dialect.needs_head and named is None:
        what = f"The {dialect.name} dataset holds coefficients of a FLAME head, and which one was not said"
        remedy = "name it with --head HEAD.npz (from `erlnet convert`), or with --from-head to train on the shipped one"
        raise ErlnetError(what, folder, remedy)
    if torso not in _TORSO_NOTES:
        raise ErlnetError(f"The torso cannot be {torso!r}", "--torso", f"choose {STILL} or {TRACKED}")
    default = head or named or HeadModel.load(default_head_path())
    wish = _Wish(default, named or default, torso)
    made = {"dialect": dialect.name, "digest": _digest(folder, wish)}
    there = _made(out)
    if there.get("digest") == made["digest"]:
        return CaptureDataset.load(out), [str(line) for line in there.get("assumed", [])]
    if os.path.lexists(out) and not there and not (out.is_dir() and not any(out.iterdir())):
        raise ErlnetError("Something else has this name", out, "choose another name, or move it away")
    return _convert(Folder(folder), dialect, wish, made, out, progress or (lambda fraction, text: None), tracker)


def _convert(
    folder: Folder, dialect: Dialect, wish: _Wish, made: dict, out: Path, progress: Progress, tracker: Callable
) -> tuple[CaptureDataset, list[str]]:
    footage = dialect.read(folder, wish.tracked_with, lambda share, text: progress(0.2 * share, text))
    moments = {take.timestep for take in footage.takes}
    if moments != set(range(len(moments))) or (footage.track is not None and len(footage.track) != len(moments)):
        raise folder.refuse("Several moments name the same picture")
    takes, track, notes = _on_rig(footage, wish, lambda share, text: progress(0.2 + 0.4 * share, text), tracker)
    notes = [f"dataset: {dialect.name}", *notes, f"head: {wish.head.id!r}, {len(track)} moments, {len(takes)} pictures"]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            _write(temporary, takes, track, {**made, "assumed": notes}, lambda s, text: progress(0.6 + 0.4 * s, text))
            CaptureDataset.load(temporary)
            temporary.chmod(0o755)
            if out.is_dir():  # ours from before, or empty
                shutil.rmtree(out)
            os.replace(temporary, out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        remedy = "make room, or choose another folder"
        raise ErlnetError(f"Cannot write ({error.strerror or error})", out, remedy) from error
    return CaptureDataset.load(out), notes


def _on_rig(
    footage: Footage, wish: _Wish, progress: Progress, tracker: Callable
) -> tuple[list[Take], FaceTrack, list[str]]:
    """The takes round the rig, the rig's track, and notes on how it came about."""
    notes, track, head = list(footage.notes), footage.track, wish.tracked_with
    if track is None:
        if not footage.is_monocular:
            raise ErlnetError("Faces can be tracked in the pictures of one camera, there are several", "", "keep one")
        head, takes = wish.head, sorted(footage.takes, key=lambda take: take.timestep)

        def picture(number: int) -> np.ndarray:
            camera = takes[number].camera
            return straight_rgba(takes[number].picture, takes[number].cutout, (camera.width, camera.height))[..., :3]

        track, cameras, told = tracker(picture, [take.camera for take in takes], head, footage.fps, progress)
        footage = replace(footage, takes=[replace(t, camera=c) for t, c in zip(takes, cameras, strict=True)])
        notes += told
    takes = footage.takes
    if head is not wish.head and head.id != wish.head.id:
        takes, track, told = on_other_head(takes, head, wish.head, track, progress)
        footage, head = replace(footage, takes=takes), wish.head
        notes.append(told)
    if wish.torso == STILL:
        if footage.is_monocular:
            footage, track = from_the_camera(footage, head, track)
            notes.append("camera: there is one, and it is taken to stand still")
        else:
            notes.append("cameras: several a moment, in one world with the head")
        takes, track = with_still_torso(footage.takes, head, track)
    notes.append(_TORSO_NOTES[wish.torso])
    return takes, track, notes


def _write(folder: Path, takes: list[Take], track: FaceTrack, made: dict, progress: Progress) -> None:
    from PIL import Image

    (folder / "images").mkdir()
    entries, opaque = [], True
    for number, take in enumerate(takes):
        pixels = straight_rgba(take.picture, take.cutout, (take.camera.width, take.camera.height))
        opaque = opaque and bool((pixels[..., 3] == 255).all())
        if opaque and number + 1 == min(8, len(takes)):
            raise ErlnetError("Nothing is cut out, the pictures have no alpha", take.picture, "add masks or alpha")
        name = f"images/{number:05d}.png"
        Image.fromarray(pixels).save(folder / name, compress_level=1)
        entries.append(frame_entry(name, take.timestep, take.camera, take.split))
        progress(number / len(takes), "writing pictures")
    track.save(folder / "track.npz")
    index = {"camera_model": "OPENCV", "fps": track.fps, _MADE: made, "frames": entries}
    (folder / "transforms.json").write_text(json.dumps(index, indent=1), "utf-8")


def _made(out: Path) -> dict:
    """What a capture that is there was converted from; empty if it was not, or is not there."""
    try:
        made = json.loads((out / "transforms.json").read_text("utf-8")).get(_MADE, {})
        return made if isinstance(made, dict) else {}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _digest(folder: Path, wish: _Wish) -> str:
    """Changes with the dataset's indexes and with all that is asked for."""
    digest = hashlib.sha256(f"{VERSION} {wish.head.id} {wish.tracked_with.id} {wish.torso}".encode())
    patterns = ("*.json", "*/flame_params.json", "*/transforms*.json")
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _unknown(folder: Path) -> ErlnetError:
    if not folder.is_dir():
        return ErlnetError("No such folder", folder, "check the path")
    signs = "; ".join(f"{dialect.name}: {dialect.sign}" for dialect in DIALECTS)
    what = f"Not a dataset that is known (looked for ERLNet: transforms.json with track.npz; {signs})"
    return ErlnetError(what, folder, "choose the folder that holds these files, or check that they can be read")
