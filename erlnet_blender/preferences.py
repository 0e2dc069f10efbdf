"""The add-on's preferences: what belongs to this machine and not to a scene."""

from __future__ import annotations

import bpy


class ERLNET_AP_preferences(bpy.types.AddonPreferences):
    """Shown under Edit > Preferences > Add-ons > ERLNet."""

    bl_idname = __package__

    python_path: bpy.props.StringProperty(
        name="Worker Python",
        description="The Python with torch that computes speech and pictures; empty to find it automatically",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The path, what is found without it, a button that tries it, and one for support."""
        from .errors import ErlnetError
        from .worker.environment import worker_python

        layout = self.layout
        layout.prop(self, "python_path")
        try:
            layout.label(text=f"In use: {worker_python(preferred_python())}", icon="CHECKMARK")
        except ErlnetError as error:
            layout.label(text=str(error), icon="ERROR")
        row = layout.row()
        row.operator("erlnet.check_worker", icon="FILE_REFRESH")
        row.operator("erlnet.copy_diagnostics", icon="COPYDOWN")


def preferred_python() -> str:
    """The Python chosen in the preferences; empty if none is, or where the add-on runs without preferences."""
    addon = bpy.context.preferences.addons.get(__package__)
    path = addon.preferences.python_path if addon is not None and addon.preferences is not None else ""
    return bpy.path.abspath(path) if path else ""


CLASSES = (ERLNET_AP_preferences,)
