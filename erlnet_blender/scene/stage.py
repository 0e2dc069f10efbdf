"""A scene ready to speak: head, camera, lights, voice, render settings. The quick start and the demo use it."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ..formats.head_model import HeadModel, default_head_path
from ..head_presets import PRESETS
from .appearance import add_studio_lights, dress
from .framing import AIM_M, DISTANCE_M, LENS_MM
from .rig import build_rig, mesh_of
from .strips import add_sound_strip, left_handle, right_handle

ENGINE = "ERLNET"


def build_stage(
    context: bpy.types.Context,
    audio_path: str | Path | None = None,
    fps: float = 25.0,
    size: tuple[int, int] = (256, 256),
    head_path: str | Path | None = None,
    preset: str = "default",
) -> bpy.types.Object:
    """Fill the context's scene with everything that a talking head needs, and return the rig.

    Args:
        audio_path: the voice; it begins at frame 1 and sets the length of the scene.
        size: of the picture, pixels.
        head_path: a head model; None is the one that comes with the add-on.
        preset: key in `head_presets.PRESETS`, for the head that comes with the add-on.

    Raises:
        ErlnetError: the head or the audio cannot be read; a strip that was half made is removed.
    """
    scene = context.scene
    head = HeadModel.load(head_path or default_head_path())
    set_frame_rate(scene, fps)
    scene.frame_start = 1
    if audio_path is not None:
        strip = add_sound_strip(scene, audio_path, 1)
        scene.frame_end = max(1, math.ceil(right_handle(strip) - left_handle(strip)))
    person = PRESETS[preset]
    shape = np.array(person.coefficients(head.meta.get("shape_names") or []), np.float32)
    rig = build_rig(head, head_path, collection=scene.collection, shape=shape)
    dress(mesh_of(rig), rig, head, person.look)
    scene.camera = add_camera(scene, rig)
    add_studio_lights(scene)
    set_render(scene, size)
    show_sequencer(context, scene)
    scene.frame_set(scene.frame_start)
    return rig


def set_frame_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set the frame rate; Blender keeps a whole number and a divisor."""
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps


def add_camera(scene: bpy.types.Scene, rig: bpy.types.Object) -> bpy.types.Object:
    """A portrait camera in front of the rig."""
    camera = bpy.data.cameras.new("Camera")
    camera.lens = LENS_MM
    camera.clip_start, camera.clip_end = 0.01, 100.0
    camera_object = bpy.data.objects.new("Camera", camera)
    scene.collection.objects.link(camera_object)
    bpy.context.view_layer.update()
    place = Vector(AIM_M) + Vector((0.0, 0.0, DISTANCE_M))
    camera_object.location = rig.matrix_world @ place
    # Camera axes in rig space are the rig's own: x right, y up, looking along -z.
    camera_object.rotation_euler = rig.matrix_world.to_euler()
    return camera_object


def set_render(scene: bpy.types.Scene, size: tuple[int, int]) -> None:
    """Neural engine, picture size, plain colours, an MP4 with the voice in it."""
    render = scene.render
    with contextlib.suppress(TypeError):  # the engine is not registered: the script has no add-on
        render.engine = ENGINE
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    # The avatar was learnt from pictures with this transform.
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    image = render.image_settings
    if hasattr(image, "media_type"):  # Blender 5.0 and later: choose the kind before the format
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.audio_codec, render.ffmpeg.audio_bitrate = "AAC", 192
    render.filepath = "//erlnet_"
    scene.sync_mode = "AUDIO_SYNC"
    scene.use_audio_scrub = True


def show_sequencer(context: bpy.types.Context, scene: bpy.types.Scene) -> None:
    """From Blender 5.0 each workspace shows one scene's sequencer: let it be this one, here and where there is none."""
    if "sequencer_scene" not in bpy.types.WorkSpace.bl_rna.properties:
        return
    here = getattr(context, "workspace", None)
    for workspace in bpy.data.workspaces:
        if workspace == here or workspace.sequencer_scene is None:
            workspace.sequencer_scene = scene
