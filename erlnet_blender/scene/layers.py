"""Generated motion and edits by hand apart, in Blender's own NLA.

What is generated lies on a locked track, `ERLNet speech`; the rig's Action above it is the edit layer and is combined
with it (sums for numbers, products for quaternions), so that keys that an animator sets are differences and a bake
replaces nothing but what a bake made. What the track played before the last bake waits on a muted one.
"""

from __future__ import annotations

import math

import bpy

from ..errors import ErlnetError
from .curves import curves_of, generated_range, slot_for
from .hand_keys import split

BASE_TRACK = "ERLNet speech"
BEFORE_TRACK = "ERLNet speech before"


def base_strip(rig: bpy.types.Object) -> bpy.types.NlaStrip | None:
    """The NLA strip that plays what is generated; None if there is none."""
    return _strip(rig, BASE_TRACK)


def before_strip(rig: bpy.types.Object) -> bpy.types.NlaStrip | None:
    """The muted NLA strip with what was generated before the last bake; None if there is none."""
    return _strip(rig, BEFORE_TRACK)


def is_mixed(rig: bpy.types.Object) -> bool:
    """Whether the rig's own Action holds generated keys, as files from before the edit layer have it."""
    animation = rig.animation_data
    if animation is None or animation.action is None or base_strip(rig) is not None:
        return False
    curves = curves_of(animation.action, getattr(animation, "action_slot", None))
    return any(generated_range(curve) is not None for curve in curves)


def baked_action(rig: bpy.types.Object) -> tuple[bpy.types.Action | None, object | None]:
    """The Action with what is generated, and the rig's slot in it (None before Blender 4.4)."""
    holder = base_strip(rig) or (rig.animation_data if is_mixed(rig) else None)
    if holder is None:
        return None, None
    return holder.action, getattr(holder, "action_slot", None)


def baked_curves(rig: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of what is generated."""
    return curves_of(*baked_action(rig))


def assign_baked(rig: bpy.types.Object, action: bpy.types.Action, slot: object | None) -> None:
    """Play `action` on the rig's track of generated motion, below its edit layer.

    What the track played is kept on the muted track `BEFORE_TRACK`; what that held goes, unless something else uses it.

    Raises:
        ErlnetError: an NLA strip is being tweaked. Nothing has changed.
    """
    edit_layer(rig)
    now = base_strip(rig)
    if now is not None:
        old = now.action
        _play(rig, BEFORE_TRACK, old, getattr(now, "action_slot", None)).mute = True
        if old.users == 2 and old.library is None:
            # The two tracks alone use it: its name goes to the new one.
            name, old.name = old.name, f"{old.name} before"
            action.name = name
    if not curves_of(action, slot):
        _remove(rig, BASE_TRACK)
        _drop_unused(action)
    else:
        _play(rig, BASE_TRACK, action, slot)


def edit_layer(rig: bpy.types.Object) -> bpy.types.Action:
    """The rig's own Action, combined with the generated motion below it; made where there is none.

    A bake that still lies in the rig's own Action goes down to its track; the keys set by hand in there stay.

    Raises:
        ErlnetError: an NLA strip is being tweaked.
    """
    animation = rig.animation_data or rig.animation_data_create()
    if animation.use_tweak_mode:
        raise ErlnetError("An NLA strip is being edited", rig.name, "leave tweak mode (Tab in the NLA editor)")
    if is_mixed(rig):
        _push_down(rig)
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{rig.name} edits")
    elif animation.action.library is not None:
        # Keys of a linked Action cannot be edited: a copy of it in this file can.
        slot = getattr(animation, "action_slot", None)
        animation.action = animation.action.copy()
        _choose_slot(rig, animation, slot)
    _choose_slot(rig, animation)
    if animation.action_blend_type == "REPLACE":
        animation.action_blend_type = "COMBINE"
    return animation.action


def animated_range(rig: bpy.types.Object) -> tuple[int, int] | None:
    """First and last frame that the rig's Action and its NLA strips animate; None if there is no animation."""
    animation = rig.animation_data
    if animation is None:
        return None
    own = curves_of(animation.action, getattr(animation, "action_slot", None))
    ranges = [tuple(animation.action.frame_range)] if own else []
    strips = [strip for track in animation.nla_tracks if not track.mute for strip in track.strips if not strip.mute]
    ranges += [(strip.frame_start, strip.frame_end) for strip in strips]
    return (int(min(first for first, _ in ranges)), math.ceil(max(last for _, last in ranges))) if ranges else None


def _push_down(rig: bpy.types.Object) -> None:
    """From a rig whose Action holds generated and hand keys to one with both layers, and the same motion."""
    animation = rig.animation_data
    mixed, slot = animation.action, getattr(animation, "action_slot", None)
    generated, hand = split(mixed, rig, slot)
    name, animation.action = mixed.name, None
    _play(rig, BASE_TRACK, generated, slot_for(generated, rig, slot))
    _drop_unused(mixed)
    generated.name = name
    hand.name = f"{rig.name} edits"
    animation.action = hand
    _choose_slot(rig, animation, slot_for(hand, rig, slot))


def _choose_slot(rig: bpy.types.Object, holder: object, like: object | None = None) -> None:
    """Let an NLA strip or the rig's animation use its Action's slot for the rig (Blender 4.4 and later)."""
    if hasattr(holder, "action_slot") and (like is not None or holder.action_slot is None):
        holder.action_slot = slot_for(holder.action, rig, like)


def _strip(rig: bpy.types.Object, name: str) -> bpy.types.NlaStrip | None:
    track = _track(rig, name)
    return track.strips[0] if track is not None and len(track.strips) else None


def _track(rig: bpy.types.Object, name: str, own: bool = False) -> bpy.types.NlaTrack | None:
    """The topmost track of that name; with `own` none that a library override has from its library."""
    tracks = rig.animation_data.nla_tracks if rig.animation_data is not None else []
    found = [track for track in tracks if track.name == name or track.name.startswith(f"{name}.")]
    if own and rig.override_library is not None:
        found = [track for track in found if not track.is_override_data]
    return found[-1] if found else None


def _play(rig: bpy.types.Object, name: str, action: bpy.types.Action, slot: object | None) -> bpy.types.NlaTrack:
    """Let the track of that name, made above all others where there is none, play an Action at its own frames."""
    tracks = rig.animation_data.nla_tracks
    track = _track(rig, name, own=True)
    if track is None:
        track = tracks.new(prev=tracks[-1] if len(tracks) else None)
        track.name = name
    if len(track.strips):
        strip = track.strips[0]
        old, strip.action = strip.action, action
    else:
        old, strip = None, track.strips.new(action.name, round(action.frame_range[0]), action)
    _choose_slot(rig, strip, slot)
    fit_strip(strip)
    strip.name = action.name
    track.lock = True
    if old is not None and old != action:
        _drop_unused(old)
    return track


def _remove(rig: bpy.types.Object, name: str) -> None:
    track = _track(rig, name, own=True)
    if track is not None:
        rig.animation_data.nla_tracks.remove(track)


def _drop_unused(action: bpy.types.Action) -> None:
    if action.users == 0 and action.library is None:
        bpy.data.actions.remove(action)


def fit_strip(strip: bpy.types.NlaStrip) -> None:
    """Let the strip play all of its Action at the Action's own frames."""
    first, last = strip.action.frame_range
    # The strip's own range must never be empty or upside down on the way: a start past the old end waits for the new.
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1)
    strip.action_frame_start = first
    strip.scale = 1.0
    strip.frame_start, strip.frame_end = first, max(last, first + 1)
