"""The user's style library in Blender: what of a head is saved, and what a saved style does to one."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..formats.head_model import HeadModel, default_head_path
from ..formats.style_library import SavedStyle, library_folder, list_styles, save_style
from ..properties import FROM_FILE, FROM_RIG
from .keyframes import read_track
from .layers import animated_range
from .rig import head_of
from .thumbnail import draw_head, posed, typical_frame

SETTINGS, MOTION, TRACK_FILE = "SETTINGS", "MOTION", "FILE"
KEPT = ("style", "strength", "second_style", "second_style_file", "mix", "emotion", "intensity", "blinks")
# More shows no more of how somebody talks.
LONGEST_S, SHORTEST_S = 30.0, 4.0
# Presets that are a pose of `pose_library` on the picture; the others show the face at rest.
_FACE_OF_STYLE = {"happy", "sad", "angry", "surprised", "fearful", "disgusted"}

_listed: tuple[object, list[SavedStyle]] = (None, [])


def saved_styles() -> list[SavedStyle]:
    """The library; its files are read again only when one has changed, since panels ask at every redraw."""
    global _listed
    folder = library_folder()
    files = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    stamp = tuple((file.name, file.stat().st_mtime_ns) for file in files if file.is_file())
    if _listed[0] != (folder, stamp):
        _listed = (folder, stamp), list_styles(folder)
    return _listed[1]


def find_style(file_name: str) -> SavedStyle:
    """The saved style of that file.

    Raises:
        ErlnetError: there is none.
    """
    for style in saved_styles():
        if style.path.name == file_name:
            return style
    raise ErlnetError("There is no such style in the library", file_name, "choose one in the Style Library panel")


def save_from(rig: bpy.types.Object, scene: bpy.types.Scene, name: str, source: str, file: str = "") -> SavedStyle:
    """Put a style of a rig into the library.

    Args:
        source: SETTINGS (what the Style panel says), MOTION (how the head moves) or TRACK_FILE (a face track).
        file: for TRACK_FILE, its path.

    Raises:
        ErlnetError: there is no motion, it is too short, or a file cannot be read or written.
    """
    if source == TRACK_FILE:
        return _save_track(name, {}, FaceTrack.load(file), rig)
    if source == MOTION:
        return _save_track(name, {}, _motion_of(rig, scene), rig)
    speech = rig.erlnet.speech
    if speech.second_style == FROM_RIG:
        remedy = "save that head's motion first and choose its track file"
        raise ErlnetError("A saved style cannot refer to another head", rig.name, remedy)
    settings = {key: _plain(getattr(speech, key)) for key in KEPT}
    if settings["second_style_file"]:
        settings["second_style_file"] = str(Path(bpy.path.abspath(str(settings["second_style_file"]))))
    if speech.style == FROM_FILE:
        return _save_track(name, settings, FaceTrack.load(bpy.path.abspath(speech.style_file)), rig)
    if speech.style == FROM_RIG:
        if speech.style_rig is None:
            raise ErlnetError("No head is chosen for the style", rig.name, "choose one in the Style panel")
        return _save_track(name, settings, _motion_of(speech.style_rig, scene), rig)
    head, amounts = head_of(rig), {}
    if speech.style in _FACE_OF_STYLE:
        amounts[speech.style] = speech.strength
    if speech.emotion != "neutral":
        amounts[speech.emotion] = max(amounts.get(speech.emotion, 0.0), speech.intensity)
    return save_style(name, settings, draw_head(head, posed(head, amounts)))


def save_motion(rig: bpy.types.Object, name: str, track: FaceTrack) -> SavedStyle:
    """Put a motion of a rig into the library; of more than 30 s the first.

    Raises:
        ErlnetError: it is too short, or the file cannot be written.
    """
    return _save_track(name, {}, track, rig)


def _plain(value: object) -> float | str:
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def _save_track(name: str, settings: dict, track: FaceTrack, rig: bpy.types.Object) -> SavedStyle:
    if track.duration_s < SHORTEST_S:
        what = f"The motion lasts {track.duration_s:.1f} s, too short to show how somebody talks"
        raise ErlnetError(what, name, f"take {SHORTEST_S:g} s or more")
    track = track[: round(LONGEST_S * track.fps)]
    return save_style(name, settings, _picture_of(track, rig), track.arrays())


def _picture_of(track: FaceTrack, rig: bpy.types.Object) -> np.ndarray:
    """The motion's most typical pose, on the head it was made for; at rest on the rig's, if that is not here."""
    own = head_of(rig)
    if track.head_id == own.id:
        return draw_head(own, typical_frame(track))
    default = HeadModel.load(default_head_path())
    return draw_head(default, typical_frame(track) if track.head_id == default.id else posed(default, {}))


def _motion_of(rig: bpy.types.Object, scene: bpy.types.Scene) -> FaceTrack:
    frames = animated_range(rig)
    if frames is None:
        raise ErlnetError("The head does not move yet", rig.name, "bake a voice first, or animate it")
    fps = scene.render.fps / scene.render.fps_base
    return read_track(rig, scene, frames[0], min(frames[1], frames[0] + round(LONGEST_S * fps) - 1))


def use_style(rig: bpy.types.Object, style: SavedStyle, second: bool = False) -> None:
    """Let a rig speak in a saved style.

    Args:
        second: mix its motion in instead; everything else stays.

    Raises:
        ErlnetError: it is damaged, made by a later version, or has no motion to mix in. Nothing has changed.
    """
    speech = rig.erlnet.speech
    if style.fault:
        raise ErlnetError(style.fault)
    if second:
        if not style.has_motion:
            raise ErlnetError("The style has no motion to mix in", style.name, "choose its preset as the second style")
        speech.second_style_file, speech.second_style = str(style.path), FROM_FILE
        return
    settings = {key: value for key, value in style.settings.items() if key in KEPT}
    for key, value in settings.items():
        _check(speech, key, value, style.name)
    for key, value in settings.items():
        setattr(speech, key, value)
    if style.has_motion:
        speech.style_file, speech.style = str(style.path), FROM_FILE


def _check(speech: bpy.types.PropertyGroup, key: str, value: float | str, name: str) -> None:
    prop = speech.bl_rna.properties[key]
    if prop.type == "ENUM":
        fits = value in {item.identifier for item in prop.enum_items}
    elif prop.type == "STRING":
        fits = isinstance(value, str)
    else:
        fits = not isinstance(value, str) and np.isfinite(value) and prop.hard_min <= value <= prop.hard_max
    if not fits:
        what = f"The style's {key.replace('_', ' ')} {value!r} is not known to this version"
        raise ErlnetError(what, name, "save the style again")
