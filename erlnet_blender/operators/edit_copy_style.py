"""The motion of a span of frames as a style to speak in."""

from __future__ import annotations

import bpy

from ..errors import ErlnetError
from ..formats.user_folders import style_folder
from ..properties import FROM_FILE
from ..scene.keyframes import read_track
from ..scene.rig import find_rig
from .edit_range import motion_reason
from .explained import Explained
from .frame_range import FrameRange

# Less than this says little about how somebody talks.
LEAST_S = 1.0
ENOUGH_S = 4.0


class ERLNET_OT_edit_copy_style(FrameRange, Explained, bpy.types.Operator):
    """Let the head speak as it moves in a span of frames: the motion is kept as a face track and becomes its style"""

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
        """Save the track, and choose it as the head's style.

        Raises:
            ErlnetError: the span is too short, or the file cannot be written.
        """
        scene, rig = context.scene, find_rig(context)
        first, last = self.frame_range(scene, rig)
        seconds = (last - first + 1) * scene.render.fps_base / scene.render.fps
        if seconds < LEAST_S:
            what = f"Frames {first} to {last} are too short for a style ({seconds:.1f} s)"
            raise ErlnetError(what, rig.name, f"choose {ENOUGH_S:g} s of speech or more")
        track = read_track(rig, scene, first, last)
        name = self.name.strip() or f"{rig.name} {first}-{last}"
        path = style_folder() / f"{bpy.path.clean_name(name)}.npz"
        track.save(path)
        rig.erlnet.speech.style, rig.erlnet.speech.style_file = FROM_FILE, str(path)
        few = f"; {ENOUGH_S:g} s or more would show it better" if seconds < ENOUGH_S else ""
        self.report({"WARNING" if few else "INFO"}, f"{rig.name} now speaks as in frames {first} to {last}{few}")


CLASSES = (ERLNET_OT_edit_copy_style,)
