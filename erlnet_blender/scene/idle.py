"""Whether the user is in the middle of something, such as dragging a strip or a marker."""

from __future__ import annotations

import bpy


def in_hand() -> bool:
    """Whether an operator that is not ours is waiting for the mouse in any window."""
    return any(
        not operator.bl_idname.startswith("ERLNET")
        for window in bpy.context.window_manager.windows
        for operator in getattr(window, "modal_operators", ())
    )
