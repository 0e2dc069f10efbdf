"""Visemes as markers of the timeline, and what is said moved to where the animator has dragged them.

Blender's markers hold no data but a name and a frame, so each has a name of its own (`PP.012`), and the scene remembers
which is which. Markers of other names are the user's and stay alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import floor

import bpy
import numpy as np

from ...errors import ErlnetError
from ..curves import MARGIN, generated_keys, read_keys, write_keys
from ..layers import baked_action, baked_curves, base_strip, edit_layer
from .spoken import SPOKEN, Anchors, Spoken, remember, sparse, spoken_of, want, warp_of
from .warp import Warp

# The least distance in frames that markers leave between what they move.
_LEAST = 0.1


def has_visemes(rig: bpy.types.Object) -> bool:
    """Whether a bake has told what is said when."""
    action = baked_action(rig)[0]
    return action is not None and SPOKEN in action


def shown_rig(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The head whose visemes the scene's markers show."""
    return scene.erlnet.viseme_rig if scene.erlnet.viseme_markers else None


def show_markers(scene: bpy.types.Scene, rig: bpy.types.Object) -> int:
    """Put a marker at each viseme of a rig, in place of those of another; returns how many."""
    hide_markers(scene)
    known, taken = {}, {marker.name for marker in scene.timeline_markers}
    for spoken in spoken_of(baked_action(rig)[0]):
        warp = warp_of(spoken, spoken.anchors)
        for time_s, name in marked(spoken):
            number = len(known) + 1
            while f"{name}.{number:03d}" in taken:
                number += 1
            marker = f"{name}.{number:03d}"
            taken.add(marker)
            known[marker] = (spoken.voice, time_s)
            scene.timeline_markers.new(marker, frame=_marker_frame(rig, spoken, warp, time_s))
    scene.erlnet.viseme_rig, scene.erlnet.viseme_markers = rig, json.dumps(known)
    return len(known)


def hide_markers(scene: bpy.types.Scene) -> None:
    """Take the markers of visemes away; the timing stays."""
    known = _known(scene)
    for marker in list(scene.timeline_markers):
        if marker.name in known:
            scene.timeline_markers.remove(marker)
    scene.erlnet.viseme_markers = ""


def marked(spoken: Spoken) -> list[tuple[float, str]]:
    """The visemes that get a marker: not the start, which stays, and no two on one frame."""
    chosen, last = [], spoken.span[0]
    for time_s, name in spoken.visemes:
        frame = spoken.frame_of(time_s)
        if frame >= last + 1 and frame < spoken.span[1] - _LEAST:
            chosen.append((time_s, name))
            last = frame
    return chosen


def apply_markers(scene: bpy.types.Scene, rig: bpy.types.Object) -> int:
    """Move the generated keys to where the markers stand; the next bake goes there too.

    Returns:
        How many visemes have changed their place.

    Raises:
        ErlnetError: a marker has overtaken another one, or stands outside its voice. Nothing has changed.
    """
    places, changed, renewed = _places(scene), 0, []
    for spoken in spoken_of(baked_action(rig)[0]):
        now, anchors = warp_of(spoken, spoken.anchors), []
        for time_s, name in marked(spoken):
            source = spoken.frame_of(time_s)
            place = places.get((spoken.voice, time_s))
            if place is None:
                changed += 1
            elif place == _marker_frame(rig, spoken, now, time_s):
                anchors.append((time_s, (float(now(np.array([source]))[0]) - source) / spoken.fps, name))
            else:
                anchors.append((time_s, (_action_frame(rig, place) - source) / spoken.fps, name))
                changed += 1
        _check_order(spoken, anchors)
        renewed.append((spoken, sparse(tuple((time_s, round(shift_s, 6)) for time_s, shift_s, _ in anchors))))
    if not changed:
        return 0
    _retime(rig, renewed)
    if any((spoken.voice, time_s) not in places for spoken, time_s, _ in _expected(rig)):
        show_markers(scene, rig)
    return changed


def clear_retiming(scene: bpy.types.Scene, rig: bpy.types.Object) -> None:
    """Everything back to when it is said."""
    _retime(rig, [(spoken, ()) for spoken in spoken_of(baked_action(rig)[0])])
    if shown_rig(scene) == rig:
        show_markers(scene, rig)


def _retime(rig: bpy.types.Object, renewed: list[tuple[Spoken, Anchors]]) -> None:
    edits = edit_layer(rig)
    action, curves = baked_action(rig)[0], baked_curves(rig)
    if action is None:
        return
    for spoken, anchors in renewed:
        old, new = warp_of(spoken, spoken.anchors), warp_of(spoken, anchors)
        want(edits, spoken.voice, anchors)
        if anchors != spoken.anchors:
            for curve in curves:
                if not curve.lock:
                    _move_keys(curve, spoken.span, old, new)
    remember(action, [replace(spoken, anchors=anchors) for spoken, anchors in renewed])
    action.update_tag()
    rig.update_tag()


def _move_keys(curve: bpy.types.FCurve, span: tuple[float, float], old: Warp, new: Warp) -> None:
    moves = generated_keys(curve, *span)
    if not moves.any():
        return
    keys = read_keys(curve)
    for name in ("co", "handle_left", "handle_right"):
        frames = new(old.back(keys[name][moves, 0].astype(float)))
        whole = np.round(frames)
        # Back where it was, a key is on its frame again and not a hair beside it.
        keys[name][moves, 0] = np.where(np.abs(frames - whole) < MARGIN, whole, frames)
    write_keys(curve, keys)


def _check_order(spoken: Spoken, anchors: list[tuple[float, float, str]]) -> None:
    before, last = "the start of the voice", spoken.span[0]
    for time_s, shift_s, name in anchors:
        frame = spoken.frame_of(time_s + shift_s)
        if frame < last + _LEAST:
            raise ErlnetError(f"The marker of {name} at frame {frame:.0f} is not after {before}", spoken.voice,
                              "drag it back between its neighbours, or undo")  # fmt: skip
        before, last = f"that of {name} at frame {frame:.0f}", frame
    if last > spoken.span[1] - _LEAST:
        raise ErlnetError(f"A marker at frame {last:.0f} is after the end of the voice", spoken.voice,
                          "drag it back before the end of the strip, or undo")  # fmt: skip


def _expected(rig: bpy.types.Object) -> list[tuple[Spoken, float, int]]:
    """Where the marker of each viseme stands if nobody drags it."""
    expected = []
    for spoken in spoken_of(baked_action(rig)[0]):
        warp = warp_of(spoken, spoken.anchors)
        expected += [(spoken, time_s, _marker_frame(rig, spoken, warp, time_s)) for time_s, _ in marked(spoken)]
    return expected


def _marker_frame(rig: bpy.types.Object, spoken: Spoken, warp: Warp, time_s: float) -> int:
    frame = float(warp(np.array([spoken.frame_of(time_s)]))[0])
    strip = base_strip(rig)
    if strip is not None:
        frame = strip.frame_start + (frame - strip.action_frame_start) * strip.scale
    return floor(frame + 0.5)


def _action_frame(rig: bpy.types.Object, frame: float) -> float:
    """The frame of the generated Action that plays at a frame of the scene."""
    strip = base_strip(rig)
    return frame if strip is None else strip.action_frame_start + (frame - strip.frame_start) / strip.scale


def _known(scene: bpy.types.Scene) -> dict[str, tuple[str, float]]:
    known = json.loads(scene.erlnet.viseme_markers or "{}")
    return {name: (voice, time_s) for name, (voice, time_s) in known.items()}


def _places(scene: bpy.types.Scene) -> dict[tuple[str, float], int]:
    """(voice, time) to the frame of its marker."""
    known = _known(scene)
    return {known[marker.name]: marker.frame for marker in scene.timeline_markers if marker.name in known}
