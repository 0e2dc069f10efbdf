"""A bake follows its voice: where the sound strip is moved or retimed, the generated keys go along, without a new bake.

The generated Action remembers where each recording lay when it was baked. What was keyed by hand stays where it is,
until the animator asks for it to come along.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import bpy
import numpy as np

from ..errors import ErlnetError
from .curves import GENERATED, MARGIN, curves_of, read_keys, write_keys
from .edits.markers import show_markers, shown_rig
from .edits.spoken import remember as remember_spoken
from .edits.spoken import spoken_of
from .idle import in_hand
from .layers import baked_action, baked_curves, base_strip, fit_strip
from .rig import rigs_of
from .strips import AudioClip, Place, place_of, sound_strips

# On the generated Action: JSON of strip name to `Baked`.
VOICES = "erlnet_voices"
# How long after the last change the keys follow, so that dragging a strip stays fluent.
DELAY_S = 0.15
SAME_FRAME, SAME_RATE = 1e-3, 1e-6


@dataclass(frozen=True)
class Baked:
    """What a bake made of a recording.

    Args:
        scene: the name of the one whose sequencer has the strip.
        start_s, end_s: the part of the recording that was baked, first and last frame.
        place: where the recording lay, and the keys with it.
        edits_place: where it lay when the keys set by hand belonged to it.
    """

    scene: str
    start_s: float
    end_s: float
    place: Place
    edits_place: Place

    def covers(self, place: Place) -> tuple[float, float]:
        """First and last frame of what was baked, were the recording at `place`."""
        return place.frame_of(self.start_s) - MARGIN, place.frame_of(self.end_s) + MARGIN


@dataclass(frozen=True)
class Move:
    """A recording that is not where its keys are."""

    strip: str
    baked: Baked
    to: Place

    @property
    def frames(self) -> float:
        """By how many frames its first baked moment has moved, + is later."""
        return self.to.frame_of(self.baked.start_s) - self.baked.place.frame_of(self.baked.start_s)


def remember(rig: bpy.types.Object, clip: AudioClip) -> None:
    """Note on the generated Action what has just been baked onto it."""
    action, _ = baked_action(rig)
    if action is None:
        return
    voices = baked_voices(rig)
    before = voices.pop(clip.name, None)
    start_s = clip.place.time_of(clip.start_frame)
    end_s = clip.place.time_of(clip.start_frame + clip.frames - 1)
    if before is not None:
        # What lies outside of the part that is baked now is the same performance.
        start, end = before.covers(before.place)
        if before.place == clip.place and start <= clip.start_frame + clip.frames and end >= clip.start_frame - 1:
            start_s, end_s = min(start_s, before.start_s), max(end_s, before.end_s)
    edits_place = before.edits_place if before is not None else clip.place
    voices = {name: left for name, baked in voices.items() if (left := _without(baked, clip)) is not None}
    _write(action, voices | {clip.name: Baked(clip.scene_name, start_s, end_s, clip.place, edits_place)})


def _without(baked: Baked, clip: AudioClip) -> Baked | None:
    """What is left of a bake where another came over it: the longer end, or nothing."""
    first, last = baked.covers(baked.place)
    before = (first, min(last, clip.start_frame - 1))
    after = (max(first, clip.start_frame + clip.frames), last)
    start, end = max(before, after, key=lambda part: part[1] - part[0])
    return replace(baked, start_s=baked.place.time_of(start), end_s=baked.place.time_of(end)) if end > start else None


def baked_voices(rig: bpy.types.Object) -> dict[str, Baked]:
    """Strip name to what was baked of it onto the rig; nothing where the note is missing or damaged."""
    action, _ = baked_action(rig)
    try:
        stored = json.loads(action.get(VOICES, "{}")) if action is not None else {}
        return {
            name: Baked(**{**entry, "place": Place(*entry["place"]), "edits_place": Place(*entry["edits_place"])})
            for name, entry in stored.items()
        }
    except (TypeError, ValueError, KeyError, AttributeError):
        return {}


def _write(action: bpy.types.Action, voices: dict[str, Baked]) -> None:
    def places(baked: Baked) -> dict:
        return {
            name: [value["zero_frame"], value["fps"]] if isinstance(value, dict) else value
            for name, value in asdict(baked).items()
        }

    action[VOICES] = json.dumps({name: places(baked) for name, baked in voices.items()})


def moves_of(rig: bpy.types.Object) -> list[Move]:
    """The recordings that are not where their keys are; those whose strip is gone or unreadable are left out."""
    return [move for move in _where_voices_are(rig) if not _is_same(move.to, move.baked.place)]


def edits_left_behind(rig: bpy.types.Object) -> list[Move]:
    """The recordings that have moved away from keys that were set by hand."""
    left = []
    for move in _where_voices_are(rig):
        if not _is_same(move.to, move.baked.edits_place):
            first, last = move.baked.covers(move.baked.edits_place)
            if any(_hand_keys(curve, first, last).any() for curve in _edit_curves(rig)):
                left.append(move)
    return left


def _where_voices_are(rig: bpy.types.Object) -> Iterator[Move]:
    for name, baked in baked_voices(rig).items():
        scene = bpy.data.scenes.get(baked.scene)
        strip = next((strip for strip in sound_strips(scene) if strip.name == name), None) if scene else None
        if strip is None:
            continue
        try:
            yield Move(name, baked, place_of(strip, scene))
        except ErlnetError:  # the Voice panel says why
            continue


def _is_same(one: Place, other: Place) -> bool:
    return abs(one.zero_frame - other.zero_frame) < SAME_FRAME and abs(one.fps / other.fps - 1) < SAME_RATE


def follow(rig: bpy.types.Object) -> list[Move]:
    """Move the generated keys to where their recordings are now.

    Returns:
        What was moved.
    """
    moves = moves_of(rig)
    action, _ = baked_action(rig)
    if not moves or action is None or action.library is not None:
        return []
    voices = baked_voices(rig)
    curves = [curve for curve in baked_curves(rig) if not curve.lock]
    # All are lifted before any is laid down: two recordings may have changed places.
    for curve in curves:
        keys = read_keys(curve)
        frames, is_generated = keys["co"][:, 0], keys["type"][:, 0] == GENERATED
        stays, moved = np.ones(len(frames), bool), []
        for move in moves:
            first, last = move.baked.covers(move.baked.place)
            chosen = is_generated & (frames >= first) & (frames <= last) & stays
            stays &= ~chosen
            moved.append(_moved(keys, chosen, move.baked.place, move.to))
        for move in moves:
            first, last = move.baked.covers(move.to)
            stays &= ~(is_generated & (frames >= first) & (frames <= last))
        _lay_down(curve, keys, stays, moved)
    for move in moves:
        voices[move.strip] = replace(move.baked, place=move.to)
    _write(action, voices)
    _move_visemes(rig, action, {move.strip: move.to for move in moves})
    strip = base_strip(rig)
    if strip is not None:
        fit_strip(strip)
    return moves


def _move_visemes(rig: bpy.types.Object, action: bpy.types.Action, places: dict[str, Place]) -> None:
    """What is said when, and the markers of it."""
    spoken = [
        replace(one, origin=places[one.voice].zero_frame, fps=places[one.voice].fps) if one.voice in places else one
        for one in spoken_of(action)
    ]
    if spoken:
        remember_spoken(action, spoken)
    for scene in bpy.data.scenes:
        if shown_rig(scene) == rig:
            show_markers(scene, rig)


def bring_edits(rig: bpy.types.Object) -> int:
    """Move the keys that were set by hand over a recording to where it is now; the number of keys."""
    moves, count = edits_left_behind(rig), 0
    for curve in _edit_curves(rig):
        keys = read_keys(curve)
        stays, moved = np.ones(len(keys["co"]), bool), []
        for move in moves:
            first, last = move.baked.covers(move.baked.edits_place)
            chosen = _hand_keys(curve, first, last) & stays
            stays &= ~chosen
            moved.append(_moved(keys, chosen, move.baked.edits_place, move.to))
        if not stays.all():
            count += int((~stays).sum())
            taken = np.concatenate([piece["co"][:, 0] for piece in moved])
            stays &= ~(np.abs(keys["co"][:, :1] - taken[None]) < MARGIN).any(1)
            _lay_down(curve, keys, stays, moved)
    action, _ = baked_action(rig)
    voices = baked_voices(rig)
    if action is not None:
        _write(action, voices | {move.strip: replace(voices[move.strip], edits_place=move.to) for move in moves})
    return count


def _edit_curves(rig: bpy.types.Object) -> list[bpy.types.FCurve]:
    animation = rig.animation_data
    if animation is None or animation.action is None or animation.action.library is not None:
        return []
    return [curve for curve in curves_of(animation.action, getattr(animation, "action_slot", None)) if not curve.lock]


def _hand_keys(curve: bpy.types.FCurve, first: float, last: float) -> np.ndarray:
    """Bool mask of the keys between two frames that no bake made."""
    keys = read_keys(curve)
    frames = keys["co"][:, 0]
    return (keys["type"][:, 0] != GENERATED) & (frames >= first) & (frames <= last)


def _moved(keys: dict[str, np.ndarray], chosen: np.ndarray, old: Place, new: Place) -> dict[str, np.ndarray]:
    piece = {name: values[chosen] for name, values in keys.items()}
    for name in ("co", "handle_left", "handle_right"):
        piece[name][:, 0] = new.frame_of(old.time_of(piece[name][:, 0].astype(np.float64)))
    return piece


def _lay_down(curve: bpy.types.FCurve, keys: dict, stays: np.ndarray, moved: list[dict]) -> None:
    merged = {name: np.concatenate([values[stays], *(piece[name] for piece in moved)]) for name, values in keys.items()}
    order = np.argsort(merged["co"][:, 0], kind="stable")
    write_keys(curve, {name: values[order] for name, values in merged.items()})


def follow_all() -> int:
    """Let every head follow that is set to; how many moved."""
    rigs = {rig for scene in bpy.data.scenes for rig in rigs_of(scene)}
    followers = [rig for rig in rigs if rig.is_editable and rig.erlnet.speech.follow]
    return sum(bool(follow(rig)) for rig in followers)


@bpy.app.handlers.persistent
def _changed(scene: bpy.types.Scene, *_: object) -> None:
    """Something in a scene has changed; a script in the background calls the operator itself."""
    if bpy.app.background or bpy.app.timers.is_registered(_follow_when_idle):
        return
    if any(rig.erlnet.speech.follow and moves_of(rig) for rig in rigs_of(scene)):
        bpy.app.timers.register(_follow_when_idle, first_interval=DELAY_S)


def _follow_when_idle() -> float | None:
    """Outside of the handler, and not while the strip is still in the user's hand. No undo step of its own: undoing the
    move of the strip takes the keys back as well."""
    if in_hand():
        return DELAY_S
    follow_all()
    return None


@bpy.app.handlers.persistent
def _before_saving(*_: object) -> None:
    if bpy.app.timers.is_registered(_follow_when_idle):
        bpy.app.timers.unregister(_follow_when_idle)
        follow_all()


def register() -> None:
    """Watch for strips that move."""
    bpy.app.handlers.depsgraph_update_post.append(_changed)
    bpy.app.handlers.save_pre.append(_before_saving)


def unregister() -> None:
    """Watch no longer."""
    if bpy.app.timers.is_registered(_follow_when_idle):
        bpy.app.timers.unregister(_follow_when_idle)
    bpy.app.handlers.save_pre.remove(_before_saving)
    bpy.app.handlers.depsgraph_update_post.remove(_changed)
