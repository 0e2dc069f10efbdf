"""Keys that follow the markers of visemes. Blender tells nobody that a marker was dragged, so a timer looks."""

from __future__ import annotations

import bpy

from ...errors import ErlnetError
from .. import jobs
from ..idle import in_hand
from ..layers import baked_action
from .markers import apply_markers, has_visemes, shown_rig

INTERVAL_S = 0.25
# Scene to where its markers stood when their keys were last moved, and what kept them from it.
_seen: dict[str, tuple] = {}
_trouble: dict[str, str] = {}


def trouble(scene: bpy.types.Scene) -> str:
    """Why the keys are not where the markers are; empty if they are."""
    return _trouble.get(scene.name, "")


def follow_markers(scene: bpy.types.Scene) -> int:
    """Move keys to where the scene's markers have been dragged since the last look; how many visemes.

    What cannot be done is kept for `trouble`.
    """
    rig = shown_rig(scene)
    if rig is None or not scene.erlnet.viseme_follow or not has_visemes(rig):
        return 0
    if baked_action(rig)[0].library is not None:
        return 0
    stand = tuple((marker.name, marker.frame) for marker in scene.timeline_markers)
    if _seen.get(scene.name) == stand:
        return 0
    try:
        moved, _trouble[scene.name] = apply_markers(scene, rig), ""
    except ErlnetError as error:
        moved, _trouble[scene.name] = 0, str(error)
    _seen[scene.name] = tuple((marker.name, marker.frame) for marker in scene.timeline_markers)
    return moved


def _look() -> float:
    """Not while a marker is in the user's hand, nor while a bake is written. No undo step of its own: undoing the move
    of a marker takes the keys back as well."""
    if not in_hand() and jobs.current() is None:
        for scene in bpy.data.scenes:
            if scene.is_editable:
                follow_markers(scene)
    return INTERVAL_S


@bpy.app.handlers.persistent
def _forget(*_: object) -> None:
    _seen.clear()
    _trouble.clear()


def register() -> None:
    """Begin to look; a script in the background calls the operator itself."""
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_forget)
    if not bpy.app.background:
        bpy.app.timers.register(_look, first_interval=INTERVAL_S, persistent=True)


def unregister() -> None:
    """Look no longer."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.remove(_forget)
