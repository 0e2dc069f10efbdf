"""Judge the render engine by Cycles: the same rig, pose and camera through both, compared in decibels.

``python -m studio.judge_still -o build/still.png`` builds the stage, turns the neck by hand (20 degrees of yaw),
moves the camera to where training never put it, presses F12 with ERLNET and with Cycles, and prints one JSON
object: ``psnr_full`` and ``psnr_head_box`` (the bounding box of what turns with the head, from the rig's own mesh),
both in sRGB-encoded colour over the same grey. The picture shows Cycles, ours, and five times the error.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path

import numpy as np

SIZE = 256
NECK_YAW_DEG = 20.0
CAMERA_YAW_DEG, CAMERA_PITCH_DEG, CAMERA_DISTANCE_M, LENS_MM = -14.0, 6.0, 0.9, 80.0
HEAD_WEIGHT = 0.5
GREY = np.array([0.33, 0.37, 0.42])


def build_scene():
    """The stage with the head turned by hand and the camera elsewhere; returns the rig."""
    import bpy
    from mathutils import Euler, Matrix, Vector

    from erlnet_blender.scene.framing import AIM_M
    from erlnet_blender.scene.rig import FACE_BONE
    from erlnet_blender.scene.stage import build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = build_stage(bpy.context, size=(SIZE, SIZE))
    rig.pose.bones["neck"].rotation_euler = (0.0, math.radians(NECK_YAW_DEG), 0.0)
    rig.pose.bones["jaw"].rotation_euler = (math.radians(6.0), 0.0, 0.0)
    rig.pose.bones[FACE_BONE]["smile"] = 0.4
    camera = bpy.context.scene.camera
    camera.data.lens = LENS_MM
    turn = Euler((math.radians(-CAMERA_PITCH_DEG), math.radians(CAMERA_YAW_DEG), 0.0), "YXZ").to_matrix().to_4x4()
    place = Matrix.Translation(Vector(AIM_M)) @ turn @ Matrix.Translation((0.0, 0.0, CAMERA_DISTANCE_M))
    camera.matrix_world = rig.matrix_world @ place
    rig.update_tag()
    bpy.context.view_layer.update()
    return rig


def render(engine: str, path: Path, samples: int) -> np.ndarray:
    """(H, W, 3) sRGB-encoded over grey, as F12 with a transparent film writes it."""
    import bpy
    from PIL import Image

    scene = bpy.context.scene
    scene.render.engine = engine
    scene.render.film_transparent = True
    if hasattr(scene.render.image_settings, "media_type"):  # Blender 5.0 and later
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = str(path)
    if engine == "CYCLES":
        scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, True
    bpy.ops.render.render(write_still=True)
    rgba = np.asarray(Image.open(path).convert("RGBA")).astype(np.float64) / 255
    return rgba[..., :3] * rgba[..., 3:] + (1 - rgba[..., 3:]) * GREY


def head_box(rig) -> tuple[slice, slice]:
    """Rows and columns of the bounding box of the vertices that turn with the head."""
    import bpy
    from bpy_extras.object_utils import world_to_camera_view

    from erlnet_blender.scene.rig import head_of, mesh_of

    scene, mesh = bpy.context.scene, mesh_of(rig)
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    turning = head_of(rig).weights[:, 1:].sum(1) >= HEAD_WEIGHT
    points = [evaluated.matrix_world @ evaluated.data.vertices[int(i)].co for i in np.flatnonzero(turning)]
    seen = np.array([world_to_camera_view(scene, scene.camera, point)[:2] for point in points])
    pixels = np.clip(np.stack([1 - seen[:, 1], seen[:, 0]], 1) * SIZE, 0, SIZE)
    top, left = np.floor(pixels.min(0)).astype(int)
    bottom, right = np.ceil(pixels.max(0)).astype(int)
    return slice(top, bottom), slice(left, right)


def judge(picture: Path | None = None, samples: int = 128) -> dict[str, float]:
    """The figures that the module's text defines; `samples` of Cycles a pixel."""
    from PIL import Image

    from erlnet_blender import addon
    from erlnet_blender.neural.dbf_nerf.evaluation import psnr

    addon.register()
    try:
        rig = build_scene()
        with tempfile.TemporaryDirectory() as folder:
            ours = render("ERLNET", Path(folder) / "ours.png", samples)
            truth = render("CYCLES", Path(folder) / "truth.png", samples)
        box = head_box(rig)
    finally:
        addon.unregister()
    error = (ours - truth) ** 2
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        shown = np.concatenate([truth, ours, np.clip(5 * np.abs(ours - truth), 0, 1)], 1)
        Image.fromarray(np.round(255 * shown).astype(np.uint8)).save(picture)
    return {"psnr_full": psnr(error), "psnr_head_box": psnr(error[box])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="where to write the comparison (.png)")
    parser.add_argument("--samples", type=int, default=128, help="of Cycles, a pixel")
    arguments = parser.parse_args()
    print(json.dumps({key: round(value, 2) for key, value in judge(arguments.output, arguments.samples).items()}))


if __name__ == "__main__":
    main()
