"""Poses by name, and the stage on which they are struck: what the gallery and the judges of the head share."""

from __future__ import annotations

import math

import numpy as np

# Name: expressions, jaw (degrees), camera azimuth (degrees), extra channels.
POSES: dict[str, dict] = {
    "neutral": {},
    "three_quarter": {"azimuth": 35},
    "profile": {"azimuth": 90},
    "jaw_open": {"jaw": 16},
    "smile": {"expr": {"smile_L": 0.9, "smile_R": 0.9, "cheek_raise_L": 0.4, "cheek_raise_R": 0.4}},
    "smile_open": {
        "expr": {"smile_L": 0.9, "smile_R": 0.9, "upper_lip_raise_L": 0.3, "upper_lip_raise_R": 0.3, "squint_L": 0.3,
                 "squint_R": 0.3, "lower_lip_depress_L": 0.3, "lower_lip_depress_R": 0.3}, "jaw": 3,
    },
    "pucker": {"expr": {"pucker": 0.9}, "jaw": 3},
    "funnel": {"expr": {"funnel": 0.9}, "jaw": 8},
    "bilabial": {"expr": {"mouth_close": 0.6, "lips_press": 0.7}, "jaw": 6},
    "f_tuck": {"expr": {"f_tuck": 1.0, "upper_lip_raise_L": 0.3, "upper_lip_raise_R": 0.3}, "jaw": 2},
    "blink": {"eyelids": (1, 1)},
    "half_blink": {"eyelids": (0.5, 0.5)},
    "brows_up": {"expr": {"brow_inner_up": 1, "brow_outer_up_L": 1, "brow_outer_up_R": 1, "eye_wide_L": 1,
                          "eye_wide_R": 1}},
    "angry": {"expr": {"brow_down_L": 1, "brow_down_R": 1, "nose_wrinkle_L": 0.7, "nose_wrinkle_R": 0.7, "frown_L": 0.8,
                       "frown_R": 0.8, "squint_L": 0.5, "squint_R": 0.5}},
    "turned": {"neck": (0.1, 0.45, 0.1), "eyes": (0, -0.25, 0)},
    "seal_10": {"expr": {"mouth_close": 1}, "jaw": 10},
    "puff": {"expr": {"puff_L": 1, "puff_R": 1}},
    "tongue": {"expr": {"tongue_out": 1, "lower_lip_depress_L": 0.3, "lower_lip_depress_R": 0.3}, "jaw": 14},
    "shift": {"expr": {"mouth_shift": 1, "dimple_L": 0.5}},
    "stretch": {"expr": {"stretch_L": 1, "stretch_R": 1}, "jaw": 6},
    "sad": {"expr": {"brow_inner_up": 0.8, "brow_together": 0.4, "frown_L": 0.7, "frown_R": 0.7, "chin_raise": 0.5,
                     "lid_follow_down_L": 0.3, "lid_follow_down_R": 0.3}},
    "disgust": {"expr": {"nose_wrinkle_L": 0.9, "nose_wrinkle_R": 0.9, "upper_lip_raise_L": 0.6,
                         "upper_lip_raise_R": 0.6, "brow_down_L": 0.5, "brow_down_R": 0.5, "squint_L": 0.4,
                         "squint_R": 0.4}},
    "fear": {"expr": {"brow_inner_up": 1, "brow_together": 0.6, "eye_wide_L": 0.9, "eye_wide_R": 0.9, "stretch_L": 0.6,
                      "stretch_R": 0.6, "neck_tighten": 0.6}, "jaw": 4},
    "wink": {"expr": {"cheek_raise_L": 0.6, "smile_L": 0.5, "dimple_R": 0.3}, "eyelids": (1, 0)},
    "squint": {"expr": {"squint_L": 1, "squint_R": 1, "cheek_raise_L": 0.4, "cheek_raise_R": 0.4}},
    "look_aside": {"expr": {"lid_follow_up_L": 0.4, "lid_follow_up_R": 0.4}, "eyes": (-0.15, 0.35, 0)},
    "cheeks_in": {"expr": {"cheek_suck_L": 1, "cheek_suck_R": 1, "pucker": 0.3}},
    "lips_in": {"expr": {"lip_roll_upper": 0.8, "lip_roll_lower": 0.8, "lip_tighten": 0.4}},
    "jaw_side": {"expr": {"jaw_side": 1}, "jaw": 5},
    "sneer": {"expr": {"sharp_lip_pull_L": 0.9, "upper_lip_raise_L": 0.4, "nostril_flare_L": 0.6, "squint_L": 0.3}},
}  # fmt: skip


def open_stage(size: int, samples: int, preset: str = "default"):
    """An empty file with a preset's rig, its look, lights and a camera, ready for Cycles; returns the rig."""
    import bpy

    from erlnet_blender.scene.stage import build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = build_stage(bpy.context, size=(size, size), preset=preset)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, True
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 5, 2, 2
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format = "PNG"
    return rig


def strike(rig, pose: dict) -> None:
    """Pose the rig and turn the camera round it."""
    import bpy
    from mathutils import Vector

    from erlnet_blender.face_track import FaceTrack
    from erlnet_blender.scene.framing import DISTANCE_M
    from erlnet_blender.scene.rig import apply_frame, head_of

    head = head_of(rig)
    eyes = pose.get("eyes", (0, 0, 0))
    track = FaceTrack(
        head.expression(pose.get("expr", {}))[None], 25, head.id,
        jaw_pose=np.array([[math.radians(pose.get("jaw", 0)), 0, 0]]),
        neck_pose=np.array([pose.get("neck", (0, 0, 0))]),
        eyes_pose=np.array([[*eyes, *eyes]]), eyelids=np.array([pose.get("eyelids", (0, 0))]),
    )  # fmt: skip
    apply_frame(rig, track)
    azimuth, distance = math.radians(pose.get("azimuth", 0)), pose.get("distance", 0.8 * DISTANCE_M)
    aim = Vector(pose.get("aim", (0.0, -0.015, -0.02)))
    camera = bpy.context.scene.camera
    camera.location = rig.matrix_world @ (aim + distance * Vector((math.sin(azimuth), 0, math.cos(azimuth))))
    camera.rotation_euler = ((rig.matrix_world @ aim) - camera.location).to_track_quat("-Z", "Y").to_euler()
