"""The options that importers and exporters share: which frames go out, and where frames come in."""

from __future__ import annotations

import bpy
import numpy as np

from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..scene.keyframes import write_track
from ..scene.layers import animated_range

SCENE, KEYS, CURRENT, CUSTOM = "SCENE", "KEYS", "CURRENT", "CUSTOM"


def scene_range(scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame of the scene, or of its preview range if that is on."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


class FrameRange:
    """Mixed into an operator that reads the rig over time."""

    frames: bpy.props.EnumProperty(
        name="Frames",
        description="Which frames are taken",
        items=[
            (SCENE, "Scene", "The scene's frames, or its preview range if that is on"),
            (KEYS, "Keys", "From the first to the last key of the head"),
            (CUSTOM, "Custom", "The frames given below"),
        ],
        default=SCENE,
    )
    first_frame: bpy.props.IntProperty(name="First", description="The first frame of a custom range", default=1)
    last_frame: bpy.props.IntProperty(name="Last", description="The last frame of a custom range", default=250)

    def frame_range(self, scene: bpy.types.Scene, rig: bpy.types.Object) -> tuple[int, int]:
        """First and last frame, as the user has chosen."""
        if self.frames == CUSTOM:
            return self.first_frame, self.last_frame
        keys = animated_range(rig) if self.frames == KEYS else None
        return keys if keys is not None else scene_range(scene)

    def draw_frames(self) -> None:
        """The choice, and the numbers where they count."""
        self.layout.prop(self, "frames")
        column = self.layout.column(align=True)
        column.enabled = self.frames == CUSTOM
        column.prop(self, "first_frame")
        column.prop(self, "last_frame")


class StartFrame:
    """Mixed into an operator that writes keys from a file."""

    start: bpy.props.EnumProperty(
        name="Start",
        description="Where the first frame of the file goes",
        items=[
            (CURRENT, "Current Frame", "At the current frame"),
            (SCENE, "Scene Start", "At the first frame of the scene"),
            (CUSTOM, "Custom", "At the frame given below"),
        ],
        default=CURRENT,
    )
    start_frame: bpy.props.IntProperty(name="Frame", description="The frame of a custom start", default=1)
    only_range: bpy.props.BoolProperty(
        name="Only Frame Range",
        description="Leave out what would fall outside the scene's frames, or its preview range if that is on",
        default=False,
    )

    def write_keys(self, scene: bpy.types.Scene, rig: bpy.types.Object, track: FaceTrack, name: str) -> int:
        """Key the rig from a track where the user wants it.

        Returns:
            How many of its frames were written.

        Raises:
            ErlnetError: it belongs to another head, or nothing of it lies in the chosen frames.
        """
        start = {CURRENT: scene.frame_current, SCENE: scene.frame_start, CUSTOM: self.start_frame}[self.start]
        step = scene.render.fps / scene.render.fps_base / track.fps
        if self.only_range and len(track):
            first, last = scene_range(scene)
            places = start + np.arange(len(track)) * step
            inside = np.flatnonzero((places >= first - 1e-3) & (places <= last + 1e-3))
            if not len(inside):
                raise ErlnetError(f"The file fills frames {start} to {places[-1]:.0f}, none of them in the range")
            track, start = track[int(inside[0]) : int(inside[-1]) + 1], start + inside[0] * step
        write_track(rig, track, float(start), name)
        return len(track)

    def draw_start(self) -> None:
        """The choice, the number where it counts, and the cut."""
        self.layout.prop(self, "start")
        row = self.layout.row()
        row.enabled = self.start == CUSTOM
        row.prop(self, "start_frame")
        self.layout.prop(self, "only_range")
