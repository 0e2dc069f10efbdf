"""The motion of a span of frames as a style to speak in."""

from __future__ import annotations

import bpy

from ..errors import ErlnetError
from ..scene.keyframes import read_track
from ..scene.own_styles import LONGEST_S, SHORTEST_S, save_motion, use_style
from ..scene.rig import find_rig
from .edit_range import motion_reason
from .explained import Explained
from .frame_range import FrameRange


class ERLNET_OT_edit_copy_style(FrameRange, Explained, bpy.types.Operator):
    """Let the head speak as it moves in a span of frames; the motion goes into the style library"""

    bl_idname = "erlnet.edit_copy_style"
    bl_label = "Copy Style from Range"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(
        name="Name", description="What the style is called; empty: after the head and the frames", default=""
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be motion."""
        return motion_reason(context)

    def draw(self, context: bpy.types.Context) -> None:
        """Name and frames."""
        self.layout.use_property_split = True
        self.layout.prop(self, "name")
        self.draw_frames()

    def run(self, context: bpy.types.Context) -> None:
        """Put the motion into the style library, and let the head speak like it.

        Raises:
            ErlnetError: the span is too short, or the file cannot be written.
        """
        scene, rig = context.scene, find_rig(context)
        fps = scene.render.fps / scene.render.fps_base
        first, last = self.frame_range(scene, rig)
        seconds = (last - first + 1) / fps
        if seconds < SHORTEST_S:
            what = f"Frames {first} to {last} are too short for a style ({seconds:.1f} s)"
            raise ErlnetError(what, rig.name, f"choose {SHORTEST_S:g} s of speech or more")
        track = read_track(rig, scene, first, min(last, first + round(LONGEST_S * fps) - 1))
        style = save_motion(rig, self.name.strip() or f"{rig.name} {first}-{last}", track)
        use_style(rig, style)
        self.report({"INFO"}, f"{rig.name} speaks like {style.name!r} from the next bake on")


CLASSES = (ERLNET_OT_edit_copy_style,)
