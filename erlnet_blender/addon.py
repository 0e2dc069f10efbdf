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
    copy_diagnostics,
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
    flatten_layers,
    follow_voice,
    game_copy,
    import_arkit,
    import_track,
    mirror_pose,
    mute_layer,
    pose_library,
    reset_face,
    revert_bake,
    seat_joints,
    start_here,
    style_library,
    use_engine,
)
from .panels import edits, export, head_sliders, poses, render, sequencer, sidebar
from .panels import style_library as style_library_panel
from .scene import follow, jobs, previews, seating, voices, writing
from .scene.edits import marker_watch

MODULES: tuple[ModuleType, ...] = (
    preferences,
    properties,
    jobs,
    writing,
    seating,
    voices,
    follow,
    marker_watch,
    previews,
    start_here,
    add_head,
    add_sound,
    bake_speech,
    follow_voice,
    cancel_job,
    clear_bake,
    add_edit_layer,
    revert_bake,
    flatten_layers,
    mute_layer,
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
    copy_diagnostics,
    style_library,
    sidebar,
    style_library_panel,
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
