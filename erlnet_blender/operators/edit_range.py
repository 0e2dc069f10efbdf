"""What the operators that edit a span of frames share: which frames, which parts of the face, how soft the ends are."""

from __future__ import annotations

import bpy

from ..errors import ErlnetError
from ..scene.edits.motion import Pulse
from ..scene.layers import animated_range
from ..scene.rig import find_rig
from ..style_presets import PARTS
from .explained import Explained, rig_reason
from .frame_range import FrameRange

PART_ITEMS = [(name, label, text, 1 << index) for index, (name, label, text) in enumerate(PARTS)]
ALL_PARTS = {name for name, *_ in PARTS}


def edit_reason(context: bpy.types.Context) -> str:
    """Why nothing can be keyed on the edit layer; empty if it can."""
    reason = rig_reason(context)
    if reason:
        return reason
    animation = find_rig(context).animation_data
    if animation is not None and animation.use_tweak_mode:
        return "An NLA strip is being edited: leave tweak mode (Tab in the NLA editor)"
    return ""


def motion_reason(context: bpy.types.Context) -> str:
    """Why there is no motion to edit; empty if there is."""
    reason = edit_reason(context)
    if reason:
        return reason
    return "" if animated_range(find_rig(context)) else "Nothing moves yet: bake a voice, or key the head"


class EditsRange(FrameRange, Explained):
    """Mixed into an operator that edits a span of frames; it defines `edit`."""

    soft: bpy.props.IntProperty(
        name="Soft Ends",
        description="Over how many frames the edit comes in at the first frame, and goes out towards the last",
        default=4,
        min=0,
        soft_max=50,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be motion."""
        return motion_reason(context)

    def draw(self, context: bpy.types.Context) -> None:
        """The operator's own settings, then frames and ends."""
        self.layout.use_property_split = True
        self.draw_edit(self.layout)
        self.draw_frames()
        self.layout.prop(self, "soft")

    def run(self, context: bpy.types.Context) -> None:
        """Edit the span, and say what became of it."""
        rig = find_rig(context)
        span = self.frame_range(context.scene, rig)
        if span[1] < span[0]:
            raise ErlnetError(f"The frame range {span[0]} to {span[1]} is empty", rig.name, "choose a later end")
        count = self.edit(rig, span)
        what = f"{count} channels keyed on the edit layer" if count else "nothing had to change"
        self.report({"INFO"}, f"{self.bl_label}, frames {span[0]} to {span[1]}: {what}")

    def edit(self, rig: bpy.types.Object, span: tuple[int, int]) -> int:
        """Do it; returns how many properties were keyed."""
        raise NotImplementedError

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """The operator's own settings."""


class EditsParts(EditsRange):
    """Mixed into an operator that edits a span of frames of some parts of the face."""

    parts: bpy.props.EnumProperty(
        name="Parts", description="Which parts of the face are edited", items=PART_ITEMS, options={"ENUM_FLAG"},
        default=ALL_PARTS,
    )  # fmt: skip

    def draw(self, context: bpy.types.Context) -> None:
        """As of any span, and the parts."""
        super().draw(context)
        self.layout.prop(self, "parts")


class EditsMoment(Explained):
    """Mixed into an operator that puts a movement at the current frame; as long as nobody says how long, it is natural.

    The operator's `NATURAL_S` has the seconds of approach, hold and release.
    """

    NATURAL_S = (0.1, 0.0, 0.1)

    approach: bpy.props.IntProperty(
        name="Approach",
        description="Frames from nothing to all of it, before the current one",
        default=3,
        min=0,
        soft_max=30,
    )
    hold: bpy.props.IntProperty(
        name="Hold", description="Frames that all of it stays, from the current one on", default=1, min=0, soft_max=100
    )
    release: bpy.props.IntProperty(
        name="Release", description="Frames until nothing of it is left", default=4, min=0, soft_max=30
    )

    def pulse(self, scene: bpy.types.Scene) -> Pulse:
        """The movement at the scene's current frame."""
        fps = scene.render.fps / scene.render.fps_base
        for name, seconds in zip(("approach", "hold", "release"), self.NATURAL_S, strict=True):
            if not self.properties.is_property_set(name):
                setattr(self, name, max(round(seconds * fps), int(seconds > 0)))
        return Pulse(scene.frame_current, self.approach, self.hold, self.release)

    def draw(self, context: bpy.types.Context) -> None:
        """The operator's own settings, then the times."""
        self.layout.use_property_split = True
        self.draw_edit(self.layout)
        column = self.layout.column(align=True)
        for name in ("approach", "hold", "release"):
            column.prop(self, name)

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """The operator's own settings."""
