"""Face tracks as keyframes of the rig, in bulk, on one Action, for Blender 4.2 to 5.x.

Only keys between the first and the last frame of the track are replaced; curves that the animator has locked are left
alone.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..delivery import PARTS
from ..errors import ErlnetError
from ..face_track import CHANNELS, FaceTrack
from .curves import channels_of, generated_keys, generated_range, replace_keys, slot_for
from .layers import assign_baked, baked_action, baked_curves, edit_layer
from .rig import read_frame
from .writing import KeyOptions, check_writing, writing


def write_track(
    rig: bpy.types.Object,
    track: FaceTrack,
    start_frame: float,
    action_name: str,
    parts: frozenset[str] = PARTS,
    options: KeyOptions | None = None,
) -> bpy.types.Action:
    """Key the rig from a track; frame i lands at `start_frame` + i, scaled if the scene's frame rate is another.

    Root rotation and translation are written only where the track has some; head motion is the neck's.

    Args:
        action_name: the name of the first Action with generated keys; later ones keep it.
        parts: what is keyed; everything else keeps the keys it has.
        options: instead of `parts`, all about how it is keyed.

    Returns:
        The Action with the keys, already playing on the track below the rig's edit layer.

    Raises:
        ErlnetError: the track is empty or belongs to another head, or an NLA strip is being tweaked.
            The rig is unchanged.
    """
    check_writing(rig, track)
    for _ in writing(rig.name, track, start_frame, action_name, options or KeyOptions(parts)):
        pass
    return baked_action(rig)[0]


def clear_bake(rig: bpy.types.Object, first_frame: float, last_frame: float) -> int:
    """Remove the generated keys between two frames; keys that the animator set and locked curves stay.

    Returns:
        How many keys were removed.
    """
    edit_layer(rig)
    old, old_slot = baked_action(rig)
    if old is None:
        return 0
    action = old.copy()
    slot = slot_for(action, rig, old_slot)
    curves, removed = channels_of(action, slot), 0
    for curve in list(curves.fcurves):
        if curve.lock:
            continue
        doomed = generated_keys(curve, first_frame, last_frame)
        removed += int(doomed.sum())
        if doomed.all():
            curves.fcurves.remove(curve)
        elif doomed.any():
            replace_keys(curve, np.zeros(0), np.zeros(0), drop=doomed)
    assign_baked(rig, action, slot)
    return removed


def baked_range(rig: bpy.types.Object) -> tuple[int, int] | None:
    """First and last frame that have generated keys; None if there are none."""
    ranges = [generated_range(curve) for curve in baked_curves(rig)]
    ends = [ends for ends in ranges if ends is not None]
    return (round(min(first for first, _ in ends)), round(max(last for _, last in ends))) if ends else None


def read_track(rig: bpy.types.Object, scene: bpy.types.Scene, first_frame: int, last_frame: int) -> FaceTrack:
    """The rig as Blender evaluates it at every whole frame from first to last, at the scene's frame rate.

    Raises:
        ErlnetError: the range is empty.
    """
    if last_frame < first_frame:
        raise ErlnetError(f"The frame range {first_frame} to {last_frame} is empty", scene.name, "choose a later end")
    before, part = scene.frame_current, scene.frame_subframe
    try:
        frames = []
        for frame in range(first_frame, last_frame + 1):
            scene.frame_set(frame)
            frames.append(read_frame(rig, bpy.context.evaluated_depsgraph_get()))
    finally:
        scene.frame_set(before, subframe=part)
    values = {name: np.concatenate([getattr(frame, name) for frame in frames]) for name in CHANNELS}
    first = frames[0]
    return FaceTrack(fps=first.fps, head_id=first.head_id, shape=first.shape, source=first.source, **values)
