"""`python -m studio.gallery` renders the default head in a row of poses into docs/contact_sheet.jpg (Cycles)."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

# Name: expressions, jaw (degrees), camera azimuth (degrees), extra channels.
POSES: dict[str, dict] = {
    "neutral": {},
    "three_quarter": {"azimuth": 35},
    "profile": {"azimuth": 90},
    "jaw_open": {"jaw": 18},
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
}  # fmt: skip
SHEET = ("neutral", "three_quarter", "profile", "jaw_open", "smile", "smile_open", "pucker", "bilabial", "f_tuck",
         "brows_up", "angry", "blink")  # fmt: skip


def open_stage(size: int, samples: int):
    """An empty file with the rig, its look, lights and a camera, ready for Cycles; returns the rig."""
    import bpy

    from erlnet_blender.scene.stage import build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = build_stage(bpy.context, size=(size, size))
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, True
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 5, 2, 2
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
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


def render_poses(names: list[str], folder: Path, size: int, samples: int, close: bool = False) -> list[Path]:
    """Render the named poses as PNGs; `close` frames eyes and mouth only."""
    import bpy

    rig = open_stage(size, samples)
    paths = []
    for name in names:
        pose = POSES[name] | ({"distance": 0.50, "aim": (0, -0.005, 0.02)} if close else {})
        strike(rig, pose)
        paths.append(folder / f"{name}.png")
        bpy.context.scene.render.filepath = str(paths[-1])
        bpy.ops.render.render(write_still=True)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studio.gallery", description=__doc__)
    parser.add_argument("poses", nargs="*", help=f"of {', '.join(POSES)}; by default those of the contact sheet")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/contact_sheet.jpg"))
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--close", action="store_true", help="frame the eyes and the mouth")
    arguments = parser.parse_args()
    names = arguments.poses or list(SHEET)
    with tempfile.TemporaryDirectory() as folder:
        paths = render_poses(names, Path(folder), arguments.size, arguments.samples, arguments.close)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        columns = min(4, max(1, math.ceil(math.sqrt(len(paths)))))
        command = ["montage", *map(str, paths), "-tile", f"{columns}x", "-geometry", "+2+2", "-quality", "90"]
        subprocess.run([*command, str(arguments.output)], check=True)
    print(f"{arguments.output}: {len(names)} poses, {arguments.output.stat().st_size / 1e3:.0f} kB")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
