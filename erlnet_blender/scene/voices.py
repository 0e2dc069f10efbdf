"""Which head speaks which sound strip. The choice is the head's, so that several heads share a scene."""

from __future__ import annotations

import bpy

from .rig import find_rig, rigs_of
from .strips import find_strip, speech_scene


def voice_of(context: bpy.types.Context) -> tuple[object, bpy.types.Scene]:
    """The sound strip that the chosen head speaks, and the scene whose sequencer has it.

    Raises:
        ErlnetError: there is none, or it is not clear which is meant.
    """
    rig, scene = find_rig(context), speech_scene(context)
    return find_strip(scene, rig.erlnet.speech.strip if rig is not None else ""), scene


def adopt_old_choices() -> None:
    """Files of ERLNet 0.1 kept one voice for the whole scene: hand it to its heads that have none."""
    for scene in bpy.data.scenes:
        name = scene.erlnet.strip
        if not name or not scene.is_editable:
            continue
        rigs = [rig for rig in rigs_of(scene) if rig.is_editable]
        for rig in rigs:
            if not rig.erlnet.speech.strip:
                rig.erlnet.speech.strip = name
        if rigs:
            scene.erlnet.strip = ""


@bpy.app.handlers.persistent
def _loaded(*_: object) -> None:
    adopt_old_choices()


def register() -> None:
    """Watch for files of earlier versions."""
    bpy.app.handlers.load_post.append(_loaded)


def unregister() -> None:
    """Watch no longer."""
    bpy.app.handlers.load_post.remove(_loaded)
