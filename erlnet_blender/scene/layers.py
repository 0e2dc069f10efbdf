"""Hand animation over a bake: the bake lies in an NLA track below, the animator's Action on top adds to it.

Without an edit layer the bake is the rig's own Action. With one, the bake is the strip of the track
`ERLNet speech`, and a new bake replaces that strip's Action and leaves the layer above alone.
"""

from __future__ import annotations

import math

import bpy

from ..errors import ErlnetError
from .curves import channels_of, slot_for

BASE_TRACK = "ERLNet speech"


def base_strip(rig: bpy.types.Object) -> bpy.types.NlaStrip | None:
    """The NLA strip that holds the bake; None if the rig has no edit layer."""
    animation = rig.animation_data
    track = animation.nla_tracks.get(BASE_TRACK) if animation is not None else None
    return track.strips[0] if track is not None and len(track.strips) else None


def baked_action(rig: bpy.types.Object) -> tuple[bpy.types.Action | None, object | None]:
    """The Action that bakes are written to, and the rig's slot in it (None before Blender 4.4)."""
    holder = base_strip(rig) or rig.animation_data
    if holder is None:
        return None, None
    return holder.action, getattr(holder, "action_slot", None)


def baked_curves(rig: bpy.types.Object):
    """What holds the `fcurves` that bakes are written to; None if there are none."""
    action, slot = baked_action(rig)
    return channels_of(action, slot) if action is not None else None


def assign_baked(rig: bpy.types.Object, action: bpy.types.Action, slot: object | None) -> None:
    """Let `action` be the one that bakes are written to."""
    strip = base_strip(rig)
    holder = strip or rig.animation_data
    holder.action = action
    if slot is not None:
        holder.action_slot = slot
    if strip is not None:
        fit_strip(strip)


def fit_strip(strip: bpy.types.NlaStrip) -> None:
    """Let the strip play all of its Action at the Action's own frames."""
    first, last = strip.action.frame_range
    # The strip's own range must never be empty or upside down on the way.
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1)
    strip.scale = 1.0
    strip.frame_start, strip.frame_end = first, max(last, first + 1)


def add_edit_layer(rig: bpy.types.Object) -> bpy.types.Action:
    """Push the bake down to its own NLA track and give the rig an empty Action that adds to it.

    Returns:
        The new Action.

    Raises:
        ErlnetError: there is a layer already, there is nothing to push down, or an NLA strip is being tweaked.
    """
    animation = rig.animation_data
    if base_strip(rig) is not None:
        raise ErlnetError("The head has an edit layer already", rig.name, "key your changes: they go onto it")
    if animation is None or animation.action is None:
        raise ErlnetError("The head has no bake to edit", rig.name, "bake a voice first")
    if animation.use_tweak_mode:
        raise ErlnetError("An NLA strip is being edited", rig.name, "leave tweak mode (Tab in the NLA editor)")
    base, base_slot = animation.action, getattr(animation, "action_slot", None)
    track = animation.nla_tracks.new()
    track.name = BASE_TRACK
    strip = track.strips.new(base.name, round(base.frame_range[0]), base)
    if base_slot is not None:
        strip.action_slot = base_slot
    fit_strip(strip)
    track.lock = True
    edits = bpy.data.actions.new(f"{rig.name} edits")
    slot = slot_for(edits, rig)
    animation.action = edits
    if slot is not None:
        animation.action_slot = slot
    # Combined with what lies below: sums for numbers, products for rotations.
    animation.action_blend_type = "COMBINE"
    animation.action_extrapolation = "HOLD"
    return edits


def animated_range(rig: bpy.types.Object) -> tuple[int, int] | None:
    """First and last frame that the rig's Action and its NLA strips animate; None if there is no animation."""
    animation = rig.animation_data
    if animation is None:
        return None
    ranges = [tuple(animation.action.frame_range)] if animation.action is not None else []
    strips = [strip for track in animation.nla_tracks if not track.mute for strip in track.strips if not strip.mute]
    ranges += [(strip.frame_start, strip.frame_end) for strip in strips]
    return (int(min(first for first, _ in ranges)), math.ceil(max(last for _, last in ranges))) if ranges else None
