"""The set: the rig, its look, lights, a camera, Cycles."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from erlnet_blender.camera import Camera
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.scene.appearance import add_studio_lights, dress
from erlnet_blender.scene.framing import LENS_MM, SENSOR_MM
from erlnet_blender.scene.rig import apply_frame, build_rig, mesh_of


class FilmSet:
    """A scene that renders poses of one head.

    Args:
        size: of the square picture in pixels; threads: of the renderer.
    """

    def __init__(self, head: HeadModel, size: int, threads: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        self.rig = build_rig(head)
        dress(mesh_of(self.rig), self.rig, head)
        add_studio_lights(self.scene)
        lens = bpy.data.cameras.new("Capture")
        lens.lens, lens.sensor_width, lens.sensor_fit = LENS_MM, SENSOR_MM, "HORIZONTAL"
        lens.clip_start = 0.01
        self.camera = bpy.data.objects.new("Capture", lens)
        self.scene.collection.objects.link(self.camera)
        self.scene.camera = self.camera
        self._settings(size, threads)

    def _settings(self, size: int, threads: int) -> None:
        render, cycles = self.scene.render, self.scene.cycles
        render.engine = "CYCLES"
        render.resolution_x = render.resolution_y = size
        render.resolution_percentage = 100
        render.film_transparent = True
        render.use_persistent_data = True
        render.threads_mode, render.threads = "FIXED", threads
        render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
        render.image_settings.color_depth = "8"
        self.scene.view_settings.view_transform, self.scene.view_settings.look = "Standard", "None"
        self.scene.view_settings.exposure, self.scene.view_settings.gamma = 0.0, 1.0
        cycles.device, cycles.use_denoising = "CPU", True
        cycles.use_adaptive_sampling = False
        cycles.seed = 0

    def samples(self, count: int) -> None:
        """Cycles samples a pixel, denoised after."""
        self.scene.cycles.samples = count

    def shoot(self, track: FaceTrack, camera: Camera, path: Path) -> None:
        """Render one pose to a PNG, whole or not at all; the noise differs from picture to picture."""
        apply_frame(self.rig, track)
        self.scene.cycles.seed += 1
        bpy.context.view_layer.update()
        pose = Matrix(np.asarray(camera.rig_from_camera, float).tolist())
        self.camera.matrix_world = self.rig.matrix_world @ pose
        temporary = path.with_name(f".{path.stem}.part.png")
        self.scene.render.filepath = str(temporary)
        bpy.ops.render.render(write_still=True)
        os.replace(temporary, path)
