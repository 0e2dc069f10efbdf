"""The animator's poses as constraints of a new bake: what is generated bends through them.

A pose is kept where the edit layer has a key: there, what is seen (generated plus edit) is after the bake what it was
before. So the new motion must meet the old at the keys; around them the difference fades in and out. No bpy but in
`posed_frames`.
"""

from __future__ import annotations

import bpy
import numpy as np

from .controls import EYELID_KEYS, EYELIDS, FACE_BONE
from .curves import curves_of
from .drags import OPEN_KEY, sources_of_keys
from .rig import head_of

_ROTATIONS = ("rotation_euler", "rotation_quaternion", "rotation_axis_angle")


def bent(frames: np.ndarray, values: np.ndarray, times: np.ndarray, targets: np.ndarray, reach: float) -> np.ndarray:
    """The samples, bent smoothly so that they go through the targets.

    About each target the correction is a bell that falls from 1 to 0 over `reach` frames, or over the way to the next
    target where that is nearer: between two near targets one correction turns into the other, and no correction
    exceeds those at the targets.

    Args:
        frames: (N,) the times of the samples, rising.
        values: (N, C) samples.
        times: (K,) the times of the targets, rising, each within the samples.
        targets: (K, C).
    """
    if not len(times):
        return values
    frames, times = np.asarray(frames, float), np.asarray(times, float)
    now = np.stack([np.interp(times, frames, column) for column in values.T], 1)
    gaps = np.minimum(np.diff(times), reach)
    left, right = np.append(reach, gaps), np.append(gaps, reach)
    away = frames[:, None] - times[None]
    part = 1 - np.clip(np.where(away < 0, -away / left, away / right), 0, 1)
    return values + (part**2 * (3 - 2 * part)) @ (targets - now)


def posed_frames(rig: bpy.types.Object) -> dict[str, np.ndarray]:
    """Data path of what a bake keys to the frames (K,) at which the animator has keyed it on the edit layer.

    A slider or a handle of the face keys the expressions that it raises.
    """
    animation = rig.animation_data
    keyed: dict[str, list[np.ndarray]] = {}
    for curve in curves_of(animation.action, getattr(animation, "action_slot", None)) if animation else []:
        if not curve.mute:
            frames = np.empty(len(curve.keyframe_points) * 2, np.float32)
            curve.keyframe_points.foreach_get("co", frames)
            keyed.setdefault(curve.data_path, []).append(frames[::2])
    face = f'pose.bones["{FACE_BONE}"]'
    names = dict(zip(EYELID_KEYS, EYELIDS, strict=True))
    frames_of: dict[str, list[np.ndarray]] = {path: list(frames) for path, frames in keyed.items()}
    for key, sources in sources_of_keys(head_of(rig)).items():
        path = f'{face}["{names.get(key, key)}"]'
        targets = [f'pose.bones["jaw"].{kind}' for kind in _ROTATIONS] if key == OPEN_KEY else [path]
        for bone, name in sources:
            source = f'{face}["{name}"]' if bone == FACE_BONE else f'pose.bones["{bone}"].location'
            for target in targets:
                if source != target and source in keyed:
                    frames_of.setdefault(target, []).extend(keyed[source])
    return {path: np.unique(np.concatenate(frames).astype(float)) for path, frames in frames_of.items()}
