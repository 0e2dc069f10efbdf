"""The first click: a scene with a head that is ready to speak."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..formats.head_model import default_head_path
from ..scene.stage import build_stage
from ..scene.strips import sound_strips
from .explained import Explained, object_mode_reason


class ERLNET_OT_start_here(Explained, bpy.types.Operator):
    """Set up a head, a camera, lights, a demo sentence and the neural renderer in a new scene"""

    bl_idname = "erlnet.start_here"
    bl_label = "Start Here"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(
        name="Recording",
        description="The voice; empty is the demo sentence",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    with_voice: bpy.props.BoolProperty(name="With Voice", description="Add the voice as a sound strip", default=True)

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Not in edit mode."""
        return object_mode_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Fill an empty scene, or a new one beside the user's own."""
        before = context.scene
        scene = before if is_untouched(before) else bpy.data.scenes.new("ERLNet")
        audio = Path(bpy.path.abspath(self.filepath)) if self.filepath else demo_speech_path()
        if context.window is not None:
            context.window.scene = scene
        try:
            with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
                rig = build_stage(bpy.context, audio if self.with_voice else None)
        except BaseException:
            if scene != before:
                if context.window is not None:
                    context.window.scene = before
                bpy.data.scenes.remove(scene)
            raise
        clear_startup_objects(scene)
        scene.camera.name = "Camera"
        look_through_camera(context)
        self.report({"INFO"}, f"{rig.name} is ready: press Bake in the sidebar's ERLNet tab")


def demo_speech_path() -> Path:
    """The sentence that comes with the add-on."""
    return default_head_path().with_name("demo_speech.flac")


STARTUP_OBJECTS = {"Cube", "Camera", "Light"}


def is_untouched(scene: bpy.types.Scene) -> bool:
    """Whether the scene is empty or is Blender's startup scene, never saved."""
    names = {item.name for item in scene.objects}
    return not sound_strips(scene) and (not names or (names <= STARTUP_OBJECTS and not bpy.data.filepath))


def clear_startup_objects(scene: bpy.types.Scene) -> None:
    """Remove the cube, the camera and the light of Blender's startup scene, which the stage replaces."""
    for name in STARTUP_OBJECTS:
        item = scene.objects.get(name)
        if item is not None and item != scene.camera:
            bpy.data.objects.remove(item)


def look_through_camera(context: bpy.types.Context) -> None:
    """Show the head as the camera sees it, with its materials."""
    for area in context.screen.areas if context.screen is not None else ():
        if area.type == "VIEW_3D":
            space = area.spaces.active
            space.region_3d.view_perspective = "CAMERA"
            space.shading.type = "MATERIAL"
            space.overlay.show_relationship_lines = False
            space.show_region_ui = True


CLASSES = (ERLNET_OT_start_here,)
