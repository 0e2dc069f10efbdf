"""What the add-on stores with a scene and with a rig; every property explains itself."""

from __future__ import annotations

import bpy

from .style_presets import STYLE_PRESETS

FROM_FILE, FROM_RIG = "FILE", "RIG"
# Blender 4.5 and later want to be told which paths may begin with "//".
FILE = {"subtype": "FILE_PATH"}
if bpy.app.version >= (4, 5):
    FILE["options"] = {"PATH_SUPPORTS_BLEND_RELATIVE"}


def _sound_strip_names(self, context: bpy.types.Context, text: str) -> list[str]:
    from .scene.strips import sound_strips, speech_scene

    return [strip.name for strip in sound_strips(speech_scene(context)) if text.lower() in strip.name.lower()]


def _is_other_rig(self, item: bpy.types.Object) -> bool:
    from .scene.rig import find_rig, is_rig

    return is_rig(item) and item != find_rig(bpy.context)


class ERLNET_PG_scene(bpy.types.PropertyGroup):
    """Settings of the bake and of the render."""

    strip: bpy.props.StringProperty(
        name="Voice",
        description="The sound strip to bake; empty is the active or the only one",
        search=_sound_strip_names,
    )
    style: bpy.props.EnumProperty(
        name="Style",
        description="How the head speaks",
        items=[
            *STYLE_PRESETS,
            (FROM_FILE, "Track File", "Speak as in a track file (.npz) made by ERLNet"),
            (FROM_RIG, "Another Head", "Speak as another head in this scene moves"),
        ],
        default="neutral",
    )
    style_file: bpy.props.StringProperty(
        name="Track File", description="A face track (.npz) whose way of speaking is taken", **FILE
    )
    style_rig: bpy.props.PointerProperty(
        name="Head", description="The head whose animation shows the style", type=bpy.types.Object, poll=_is_other_rig
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How strongly the style is applied: 0 neutral, 1 as it is, more exaggerates",
        default=1.0,
        min=0.0,
        max=3.0,
        soft_max=2.0,
        subtype="FACTOR",
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Another number gives another head motion and other blinks", default=0, min=0
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="What the neural renderer computes on",
        items=[
            ("auto", "Automatic", "The graphics card if the worker can use it, else the processor"),
            ("cpu", "CPU", "The processor: slower, but the same on every machine"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
        ],
        default="auto",
    )
    samples: bpy.props.IntProperty(
        name="Samples",
        description="Samples on each ray of the neural renderer; 0 is what the avatar was made for",
        default=0,
        min=0,
        max=256,
    )
    pose_strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far a click on a pose goes from the present face to the pose",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    pose_key: bpy.props.BoolProperty(name="Key", description="A click on a pose sets keys at this frame", default=False)
    pose_leave_mouth: bpy.props.BoolProperty(
        name="Emotions Leave the Mouth", description="An emotion leaves alone what speech moves", default=False
    )


class ERLNET_PG_object(bpy.types.PropertyGroup):
    """Settings of a rig."""

    avatar: bpy.props.StringProperty(
        name="Avatar",
        description="The trained avatar (.safetensors) that renders this head; empty is the one that comes with ERLNet",
        override={"LIBRARY_OVERRIDABLE"},
        **FILE,
    )
    search: bpy.props.StringProperty(
        name="Search", description="Show only the components with this in their name", options={"TEXTEDIT_UPDATE"}
    )
    show_all: bpy.props.BoolProperty(
        name="Show All", description="Show every component of a head that gives them no names"
    )


CLASSES = (ERLNET_PG_scene, ERLNET_PG_object)


def register() -> None:
    """Add `Scene.erlnet` and `Object.erlnet`."""
    bpy.types.Scene.erlnet = bpy.props.PointerProperty(type=ERLNET_PG_scene)
    bpy.types.Object.erlnet = bpy.props.PointerProperty(type=ERLNET_PG_object, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    """Remove them; what files store of them stays in the files."""
    del bpy.types.Object.erlnet
    del bpy.types.Scene.erlnet
