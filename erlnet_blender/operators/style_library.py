"""The user's own styles: save, use, rename, delete."""

from __future__ import annotations

import bpy

from ..formats.style_library import clean_name, delete_style, rename_style
from ..scene import own_styles
from ..scene.rig import find_rig
from .explained import Explained, rig_reason

_SOURCES = [
    (
        own_styles.SETTINGS,
        "Settings of the Panel",
        "Style, mix, strength, emotion and blinks as in the Style panel",
    ),
    (own_styles.MOTION, "Motion of This Head", "How this head moves now, at most the first 30 s of it"),
    (own_styles.TRACK_FILE, "Track File", "How a face track (.npz) moves, at most the first 30 s of it"),
]


def chosen_reason() -> str:
    """Why no style of the library is chosen; empty if one is."""
    usable = [style for style in own_styles.saved_styles() if not style.fault]
    return "" if usable else "The style library is empty: save a style first"


class ERLNET_OT_save_style(Explained, bpy.types.Operator):
    """Keep how this head speaks in your own library, for every file"""

    bl_idname = "erlnet.save_style"
    bl_label = "Save Style"
    bl_options = {"REGISTER"}

    name: bpy.props.StringProperty(
        name="Name", description="What the style is called; an old one of this name is replaced", default="My style"
    )
    source: bpy.props.EnumProperty(name="Save", description="What of the head is kept", items=_SOURCES)
    filepath: bpy.props.StringProperty(
        name="Track File", description="The face track (.npz) to keep", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for name and source."""
        return context.window_manager.invoke_props_dialog(self, width=340)

    def draw(self, context: bpy.types.Context) -> None:
        """Name and source; whether an old style is replaced."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "name")
        layout.prop(self, "source")
        if self.source == own_styles.TRACK_FILE:
            layout.prop(self, "filepath")
        if self.name.strip() and any(style.name == clean_name(self.name) for style in own_styles.saved_styles()):
            layout.label(text="Replaces the style of this name", icon="INFO")

    def run(self, context: bpy.types.Context) -> None:
        """Save it, and choose it in the panel."""
        file = bpy.path.abspath(self.filepath)
        style = own_styles.save_from(find_rig(context), context.scene, self.name, self.source, file)
        context.window_manager.erlnet.saved_style = style.path.name
        self.report({"INFO"}, f"Saved {style.name!r} in {style.path.parent}")


class ERLNET_OT_use_style(Explained, bpy.types.Operator):
    """Let this head speak in the chosen style of the library"""

    bl_idname = "erlnet.use_style"
    bl_label = "Use Style"
    bl_options = {"REGISTER", "UNDO"}

    second: bpy.props.BoolProperty(
        name="As Second Style", description="Mix the style in; the first one stays", options={"SKIP_SAVE"}
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """A head and a style are needed."""
        return rig_reason(context) or chosen_reason()

    def run(self, context: bpy.types.Context) -> None:
        """Set the head's properties."""
        style = own_styles.find_style(context.window_manager.erlnet.saved_style)
        own_styles.use_style(find_rig(context), style, self.second)
        self.report({"INFO"}, f"{find_rig(context).name} speaks like {style.name!r} from the next bake on")


class ERLNET_OT_rename_style(Explained, bpy.types.Operator):
    """Give the chosen style of the library another name; heads that speak like it go on doing so"""

    bl_idname = "erlnet.rename_style"
    bl_label = "Rename Style"
    bl_options = {"REGISTER"}

    name: bpy.props.StringProperty(name="Name", description="What the style is called from now on")

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """A style must be chosen."""
        return chosen_reason()

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the name."""
        self.name = own_styles.find_style(context.window_manager.erlnet.saved_style).name
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> None:
        """Rename it."""
        rename_style(own_styles.find_style(context.window_manager.erlnet.saved_style).path, self.name)


class ERLNET_OT_delete_style(Explained, bpy.types.Operator):
    """Delete a style of the library from this computer; this cannot be undone"""

    bl_idname = "erlnet.delete_style"
    bl_label = "Delete Style"
    bl_options = {"REGISTER"}

    file: bpy.props.StringProperty(
        name="File", description="The style's file; empty is the chosen one", options={"SKIP_SAVE"}
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be one."""
        return "" if own_styles.saved_styles() else "The style library is empty: save a style first"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask whether it is meant."""
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context: bpy.types.Context) -> None:
        """Delete it."""
        delete_style(own_styles.find_style(self.file or context.window_manager.erlnet.saved_style).path)


CLASSES = (ERLNET_OT_save_style, ERLNET_OT_use_style, ERLNET_OT_rename_style, ERLNET_OT_delete_style)
