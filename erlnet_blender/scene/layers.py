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

GENERATED, EDITS = "GENERATED", "EDITS"
BASE_TRACK = "ERLNet speech"
BEFORE_TRACK = "ERLNet speech before"
# How much the edit layer counted before it was muted.
INFLUENCE = "erlnet_edit_influence"


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


def revert_bake(rig: bpy.types.Object) -> None:
    """Bring back what was generated before the last bake; once more, and the last bake is back.

    Raises:
        ErlnetError: there is nothing from before, or an NLA strip is being tweaked.
    """
    edit_layer(rig)
    before, now = before_strip(rig), base_strip(rig)
    if before is None:
        raise ErlnetError("There is no motion from before the last bake", rig.name, "bake a second time first")
    then, slot = before.action, getattr(before, "action_slot", None)
    if now is None:
        _play(rig, BASE_TRACK, then, slot)
        _remove(rig, BEFORE_TRACK)
        return
    last, last_slot = now.action, getattr(now, "action_slot", None)
    name, name_before = last.name, then.name
    for strip, action, own in ((before, last, last_slot), (now, then, slot)):
        strip.action = action
        _choose_slot(rig, strip, own)
        fit_strip(strip)
    if last.library is None and then.library is None:
        last.name = f"{name} reverted"
        then.name, last.name = name, name_before
    now.name, before.name = then.name, last.name


def is_muted(rig: bpy.types.Object, layer: str) -> bool:
    """Whether a layer (`GENERATED`, `EDITS`) does not count now."""
    if layer == EDITS:
        return rig.animation_data is not None and rig.animation_data.action_influence == 0
    track = _track(rig, BASE_TRACK)
    return track is not None and track.mute


def mute(rig: bpy.types.Object, layer: str, muted: bool) -> None:
    """Let a layer count, or not; none of its keys change."""
    if muted == is_muted(rig, layer):
        return
    if layer == EDITS:
        animation = rig.animation_data
        if muted and animation.action_influence != 1:
            rig[INFLUENCE] = animation.action_influence
        animation.action_influence = 0.0 if muted else rig.pop(INFLUENCE, 1.0)
        return
    _track(rig, BASE_TRACK).mute = muted
    if muted:
        # Blender leaves what nothing animates any more as it is: half a spoken word.
        for curve in curves_of(*baked_action(rig)):
            put_to_rest(rig, curve.data_path, curve.array_index)


def put_to_rest(rig: bpy.types.Object, data_path: str, index: int) -> None:
    """Give a number that bakes key the value that it has without them."""
    owner, _, name = data_path.rpartition(".")
    if data_path.endswith('"]'):
        owner, _, name = data_path.rpartition("[")
        rig.path_resolve(owner)[name[1:-2]] = 0.0
    else:
        is_real_part = name == "rotation_quaternion" and index == 0
        getattr(rig.path_resolve(owner), name)[index] = 1.0 if is_real_part else 0.0
    rig.update_tag()


def solo(rig: bpy.types.Object, layer: str) -> None:
    """Let one layer alone count; where it does already, both again."""
    other = GENERATED if layer == EDITS else EDITS
    alone = is_muted(rig, other) and not is_muted(rig, layer)
    mute(rig, layer, False)
    mute(rig, other, not alone)


def take_flattened(rig: bpy.types.Object, action: bpy.types.Action, slot: object | None) -> None:
    """Let `action` alone be the rig's own, in place of both layers."""
    animation, base = rig.animation_data, base_strip(rig).action
    name, edits = base.name, animation.action
    animation.action = action
    _choose_slot(rig, animation, slot)
    animation.action_blend_type, animation.action_influence = "REPLACE", 1.0
    before = before_strip(rig)
    unused = {edits, base, *([before.action] if before is not None else [])}
    for track in (BASE_TRACK, BEFORE_TRACK):
        _remove(rig, track)
    for old in unused:
        _drop_unused(old)
    action.name = name


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
