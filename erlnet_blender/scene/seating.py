"""Joints that follow the identity sliders: after a shape key of a head was dragged, its bones are seated anew.

Bones at rest can only be moved in edit mode, which no redraw or evaluation may enter, so a change is noted
as Blender reports it and a timer acts on it when the mouse has rested.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..errors import ErlnetError
from .rig import is_seated, rigs_of, seat_joints

DELAY_S = 0.2


def unseated(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The heads whose identity was changed and whose bones still rest where they were."""
    return [rig for rig in rigs_of(scene) if rig.children and not is_seated(rig)]


@persistent
def on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """After a change of a mesh, look in a moment whether it was an identity; a shape key tags the object."""
    if depsgraph is not None and any(update.is_updated_geometry for update in depsgraph.updates):
        _look_soon()


@persistent
def on_undo(*_) -> None:
    """Undo may bring an older identity back."""
    _look_soon()


def seat_changed() -> float | None:
    """Seat what needs it; as a timer it comes again only while the scene is in a mode that must not be left."""
    if bpy.context.mode not in ("OBJECT", "POSE"):
        return DELAY_S if unseated(bpy.context.scene) else None
    for rig in unseated(bpy.context.scene):
        try:
            seat_joints(rig)
        except ErlnetError:
            # Linked, or without its head file: the panel says so, and its button reports why.
            continue
    return None


def _look_soon() -> None:
    if bpy.app.background:
        # Without a window no timer ever runs, and one that waits keeps Blender from leaving.
        return
    if bpy.app.timers.is_registered(seat_changed):
        bpy.app.timers.unregister(seat_changed)
    bpy.app.timers.register(seat_changed, first_interval=DELAY_S)


_HANDLERS = (("depsgraph_update_post", on_update), ("undo_post", on_undo), ("redo_post", on_undo))


def register() -> None:
    """Listen to changes."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Listen no more."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(seat_changed):
        bpy.app.timers.unregister(seat_changed)
