"""Eyes that look at a bone: off they move as keyed, on they follow the target, with anything in between."""

from __future__ import annotations

import bpy
import numpy as np

from .controls import FACE_BONE, LOOK_AT
from .drivers import sum_driver
from .rig_bones import BoneRest
from .widgets import CROSS, GAZE, wear

DISTANCE_M = 0.5
# No eye turns further than this towards the target, radians up or down, and to a side.
LIMIT_RAD = (0.6, 0.8)


def gaze_rest(joints: np.ndarray) -> BoneRest:
    """The target before the eyes; it hangs on the root, so the eyes hold it while the head turns."""
    return BoneRest(LOOK_AT, (joints[3] + joints[4]) / 2 + [0, 0, DISTANCE_M], 0.03, "root")


def add_gaze(rig: bpy.types.Object) -> None:
    """Let both eyes track the target as far as the control `look_at` of the face bone says."""
    target = rig.pose.bones[LOOK_AT]
    target.rotation_mode = "XYZ"
    target.lock_rotation = target.lock_scale = (True, True, True)
    wear(target, CROSS, 0.03, GAZE)
    for name in ("left_eye", "right_eye"):
        track = rig.pose.bones[name].constraints.new("DAMPED_TRACK")
        track.name = "Look at"
        track.target, track.subtarget, track.track_axis = rig, LOOK_AT, "TRACK_Z"
        limit = rig.pose.bones[name].constraints.new("LIMIT_ROTATION")
        limit.name, limit.owner_space = "Look at no further", "LOCAL"
        for axis, angle in zip("xy", LIMIT_RAD, strict=True):
            setattr(limit, f"use_limit_{axis}", True)
            setattr(limit, f"min_{axis}", -angle)
            setattr(limit, f"max_{axis}", angle)
        for constraint in (track, limit):
            sum_driver(constraint, "influence", rig, [(FACE_BONE, LOOK_AT)])
