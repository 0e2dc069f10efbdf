"""Everything that the add-on registers, in order: all of it, or on an error none of it.

A module lists its classes in `CLASSES`, and may have `register` and `unregister` for what are not classes.
"""

from __future__ import annotations

from types import ModuleType

import bpy

from . import engine, preferences, properties
from .operators import (
    add_edit_layer,
    add_head,
    add_sound,
    bake_speech,
    cancel_job,
    check_worker,
    clear_bake,
    edit_blink,
    edit_close_lips,
    edit_copy_style,
    edit_exaggerate,
    edit_mirror,
    edit_offset_head,
    edit_smooth,
    edit_visemes,
    export_arkit,
    export_track,
    file_menus,
    fit_photo,
    game_copy,
    import_arkit,
    import_track,
    mirror_pose,
    pose_library,
    reset_face,
    seat_joints,
    start_here,
    use_engine,
)
from .panels import edits, export, head_sliders, poses, render, sequencer, sidebar
from .scene import jobs, seating, voices

MODULES: tuple[ModuleType, ...] = (
    preferences,
    properties,
    jobs,
    seating,
    voices,
    start_here,
    add_head,
    add_sound,
    bake_speech,
    cancel_job,
    clear_bake,
    add_edit_layer,
    edit_exaggerate,
    edit_smooth,
    edit_mirror,
    edit_offset_head,
    edit_close_lips,
    edit_blink,
    edit_copy_style,
    edit_visemes,
    reset_face,
    seat_joints,
    pose_library,
    import_track,
    import_arkit,
    mirror_pose,
    export_track,
    export_arkit,
    file_menus,
    game_copy,
    fit_photo,
    use_engine,
    check_worker,
    sidebar,
    edits,
    head_sliders,
    poses,
    export,
    sequencer,
    render,
    engine,
)


def register() -> None:
    """Register every module; if one fails, unregister those before it and raise."""
    done: list[ModuleType] = []
    try:
        for module in MODULES:
            _register(module)
            done.append(module)
    except BaseException:
        for module in reversed(done):
            _unregister(module)
        raise


def unregister() -> None:
    """Unregister every module in the opposite order."""
    for module in reversed(MODULES):
        _unregister(module)


def _register(module: ModuleType) -> None:
    done: list[type] = []
    try:
        for item in getattr(module, "CLASSES", ()):
            bpy.utils.register_class(item)
            done.append(item)
        if hasattr(module, "register"):
            module.register()
    except BaseException:
        for item in reversed(done):
            bpy.utils.unregister_class(item)
        raise


def _unregister(module: ModuleType) -> None:
    if hasattr(module, "unregister"):
        module.unregister()
    for item in reversed(getattr(module, "CLASSES", ())):
        bpy.utils.unregister_class(item)
