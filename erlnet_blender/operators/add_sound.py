"""A voice recording becomes a sound strip: by button, or dropped onto the 3D view."""

from __future__ import annotations

import math

import bpy
from bpy_extras.io_utils import ImportHelper

from ..scene.rig import find_rig
from ..scene.stage import show_sequencer
from ..scene.strips import add_sound_strip, right_handle, sequencer_scene, sound_strips
from .explained import Explained

EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".aiff")


class ERLNET_OT_add_sound(Explained, bpy.types.Operator, ImportHelper):
    """Add a voice recording to the timeline, at the current frame"""

    bl_idname = "erlnet.add_sound"
    bl_label = "Add Recording"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default=";".join(f"*{ending}" for ending in EXTENSIONS), options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A dropped file is taken at once, else ask for one."""
        if self.properties.is_property_set("filepath") and self.filepath:
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def run(self, context: bpy.types.Context) -> None:
        """Add the strip, let the chosen head speak it, and let the scene be long enough to hear it."""
        scene = sequencer_scene(context)
        is_first = not sound_strips(scene)
        strip = add_sound_strip(scene, bpy.path.abspath(self.filepath), scene.frame_current)
        show_sequencer(context, scene)
        last = math.ceil(right_handle(strip)) - 1
        scene.frame_end = last if is_first else max(scene.frame_end, last)
        # The picture must wait for the sound, or the lips look late.
        scene.sync_mode = "AUDIO_SYNC"
        scene.use_audio_scrub = True
        rig = find_rig(context)
        if rig is not None and rig.is_editable:
            rig.erlnet.speech.strip = strip.name


class ERLNET_FH_sound(bpy.types.FileHandler):
    """Lets recordings be dropped onto the 3D view."""

    bl_idname = "ERLNET_FH_sound"
    bl_label = "Voice recording for ERLNet"
    bl_import_operator = ERLNET_OT_add_sound.bl_idname
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only the 3D view: the sequencer takes sounds by itself."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (ERLNET_OT_add_sound, ERLNET_FH_sound)
