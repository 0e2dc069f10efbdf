"""What the add-on stores with a scene and with a rig; every property explains itself."""

from __future__ import annotations

import bpy

from .style_presets import EMOTIONS, PARTS, STYLE_PRESETS

NO_STYLE, FROM_FILE, FROM_RIG = "NONE", "FILE", "RIG"
WHOLE_STRIP = "STRIP"
_OTHER_STYLES = [
    (FROM_FILE, "Track File", "Speak as in a track file (.npz) made by ERLNet"),
    (FROM_RIG, "Another Head", "Speak as another head in this scene moves"),
]
# On a rig that is linked from another file, too.
_HELD = {"override": {"LIBRARY_OVERRIDABLE"}, "options": set()}
_KEYED = {"override": {"LIBRARY_OVERRIDABLE"}}
# Blender 4.5 and later want to be told which paths may begin with "//".
FILE = {"subtype": "FILE_PATH"}
if bpy.app.version >= (4, 5):
    FILE["options"] = {"PATH_SUPPORTS_BLEND_RELATIVE"}
_FILE_HELD = {**FILE, "override": {"LIBRARY_OVERRIDABLE"}, "options": FILE.get("options", set())}


def _sound_strip_names(self, context: bpy.types.Context, text: str) -> list[str]:
    from .scene.strips import sound_strips, speech_scene

    return [strip.name for strip in sound_strips(speech_scene(context)) if text.lower() in strip.name.lower()]


def _is_other_rig(self, item: bpy.types.Object) -> bool:
    from .scene.rig import find_rig, is_rig

    return is_rig(item) and item != find_rig(bpy.context)


class ERLNET_PG_scene(bpy.types.PropertyGroup):
    """Settings of the scene: the render, and how poses are applied."""

    # Up to 0.1 the voice was the scene's; `scene.voices` hands it to the heads of such files.
    strip: bpy.props.StringProperty(options={"HIDDEN"})
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
    edit_parts: bpy.props.EnumProperty(
        name="Parts",
        description="Which parts of the face the edits of a frame range change (Shift-click for several)",
        items=[(name, label, text, 1 << index) for index, (name, label, text) in enumerate(PARTS)],
        options={"ENUM_FLAG"},
        default={name for name, *_ in PARTS},
    )
    viseme_follow: bpy.props.BoolProperty(
        name="Keys Follow Markers",
        description="Where a marker of a viseme is dragged, its baked keys go along at once",
        default=True,
    )
    viseme_rig: bpy.props.PointerProperty(type=bpy.types.Object, options={"HIDDEN"})
    viseme_markers: bpy.props.StringProperty(options={"HIDDEN"})


class ERLNET_PG_speech(bpy.types.PropertyGroup):
    """What a rig speaks, and how. Strength, mix, emotion and intensity may be keyed; the bake follows the keys."""

    strip: bpy.props.StringProperty(
        name="Voice",
        description="The sound strip that this head speaks; empty is the active or the only one",
        search=_sound_strip_names,
        **_HELD,
    )
    follow: bpy.props.BoolProperty(
        name="Keys Follow Voice",
        description="Where the strip is moved or its speed is changed, its baked keys go along at once",
        default=True,
        **_HELD,
    )
    style: bpy.props.EnumProperty(
        name="Style",
        description="How the head speaks",
        items=[*STYLE_PRESETS, *_OTHER_STYLES],
        default="neutral",
        **_HELD,
    )
    style_file: bpy.props.StringProperty(
        name="Track File", description="A face track (.npz) whose way of speaking is taken", **_FILE_HELD
    )
    style_rig: bpy.props.PointerProperty(
        name="Head",
        description="The head whose animation shows the style",
        type=bpy.types.Object,
        poll=_is_other_rig,
        **_HELD,
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How strongly the style is applied: 0 neutral, 1 as it is, more exaggerates",
        default=1.0,
        min=0.0,
        max=1.5,
        subtype="FACTOR",
        **_KEYED,
    )
    second_style: bpy.props.EnumProperty(
        name="Second Style",
        description="A style to mix in",
        items=[(NO_STYLE, "None", "One style alone"), *STYLE_PRESETS, *_OTHER_STYLES],
        default=NO_STYLE,
        **_HELD,
    )
    second_style_file: bpy.props.StringProperty(
        name="Track File", description="A face track (.npz) whose way of speaking is mixed in", **_FILE_HELD
    )
    second_style_rig: bpy.props.PointerProperty(
        name="Head",
        description="The head whose animation shows the second style",
        type=bpy.types.Object,
        poll=_is_other_rig,
        **_HELD,
    )
    mix: bpy.props.FloatProperty(
        name="Mix",
        description="0 is the style, 1 the second style; may be keyed",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        **_KEYED,
    )
    emotion: bpy.props.EnumProperty(
        name="Emotion",
        description="What the head feels, on top of its style; may be keyed, and fades over within 0.3 s",
        items=EMOTIONS,
        default="neutral",
        **_KEYED,
    )
    intensity: bpy.props.FloatProperty(
        name="Intensity",
        description="How much of the emotion shows: 0.4 is slight, 0.7 medium, 1 strong; may be keyed",
        default=0.7,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        **_KEYED,
    )
    blinks: bpy.props.FloatProperty(
        name="Blink Rate",
        description="Blinks a minute; 0 as the style has it",
        default=0.0,
        min=0.0,
        max=60.0,
        precision=0,
        step=100,
        **_HELD,
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Another number gives another head motion and other blinks", default=0, min=0, **_HELD
    )
    weights: bpy.props.StringProperty(
        name="Speech Model",
        description="The trained model (.safetensors) that turns speech into motion; empty is the one that comes "
        "with ERLNet",
        **_FILE_HELD,
    )
    __annotations__ |= {
        f"use_{name}": bpy.props.BoolProperty(
            name=label,
            description=f"Whether a bake keys this: {text}. What is off keeps the keys it has",
            default=True,
            **_HELD,
        )
        for name, label, text in PARTS
    }

    @property
    def parts(self) -> frozenset[str]:
        """The parts of the face that a bake keys."""
        return frozenset(name for name, *_ in PARTS if getattr(self, f"use_{name}"))


class ERLNET_PG_bake(bpy.types.PropertyGroup):
    """How bakes of a rig are written."""

    frames: bpy.props.EnumProperty(
        name="Frames",
        description="Which frames a bake keys; the rest keeps the keys it has",
        items=[
            (WHOLE_STRIP, "Whole Strip", "All that the voice's strip plays"),
            ("SCENE", "Scene", "The scene's frames, or its preview range if that is on"),
            ("CUSTOM", "Custom", "The frames given below"),
        ],
        default=WHOLE_STRIP,
        **_HELD,
    )
    first_frame: bpy.props.IntProperty(
        name="First", description="The first frame of a custom range", default=1, **_HELD
    )
    last_frame: bpy.props.IntProperty(name="Last", description="Last frame of a custom range", default=250, **_HELD)
    blend: bpy.props.IntProperty(
        name="Blend",
        description="Over how many frames the motion that is there goes over into the new one at the ends of the range",
        default=5,
        min=0,
        soft_max=50,
        **_HELD,
    )
    reduce: bpy.props.BoolProperty(
        name="Reduce Keys",
        description="Leave out keys as long as the motion stays within the bounds; off is a key on every frame",
        default=False,
        **_HELD,
    )
    max_mm: bpy.props.FloatProperty(
        name="Up to (mm)",
        description="No point of the face is further than this from the motion with all keys, in millimetres",
        default=0.5,
        min=0.01,
        soft_max=5.0,
        **_HELD,
    )
    max_degrees: bpy.props.FloatProperty(
        name="Up to (°)",
        description="No joint is turned further than this from the motion with all keys, in degrees",
        default=0.5,
        min=0.01,
        soft_max=5.0,
        **_HELD,
    )
    keep_poses: bpy.props.BoolProperty(
        name="Keep My Keys as Constraints",
        description="Where you have keyed the face, it looks after the bake as it did before: the new motion bends "
        "through those poses. Off, your keys are differences on top of the new motion",
        default=False,
        **_HELD,
    )

    @property
    def bounds(self) -> tuple[float, float]:
        """Millimetres and degrees that fewer keys may be off; zeros for a key on every frame."""
        return (self.max_mm, self.max_degrees) if self.reduce else (0.0, 0.0)


class ERLNET_PG_object(bpy.types.PropertyGroup):
    """Settings of a rig."""

    speech: bpy.props.PointerProperty(type=ERLNET_PG_speech, override={"LIBRARY_OVERRIDABLE"})
    bake: bpy.props.PointerProperty(type=ERLNET_PG_bake, override={"LIBRARY_OVERRIDABLE"})
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


CLASSES = (ERLNET_PG_scene, ERLNET_PG_speech, ERLNET_PG_bake, ERLNET_PG_object)


def register() -> None:
    """Add `Scene.erlnet` and `Object.erlnet`."""
    bpy.types.Scene.erlnet = bpy.props.PointerProperty(type=ERLNET_PG_scene)
    bpy.types.Object.erlnet = bpy.props.PointerProperty(type=ERLNET_PG_object, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    """Remove them; what files store of them stays in the files."""
    del bpy.types.Object.erlnet
    del bpy.types.Scene.erlnet
