"""Which of Blender's own panels show while our engine is chosen."""

from __future__ import annotations

import bpy

from .engine import ErlnetRenderEngine

# Panels for things that a neural render does not have.
EXCLUDED = {"VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_simplify", "RENDER_PT_freestyle"}
# EEVEE's material and light panels keep the viewport's Material Preview useful.
LIKE = ("BLENDER_RENDER", "BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")
LOOK_PANELS = ("EEVEE_MATERIAL_PT_", "EEVEE_WORLD_PT_surface")


def compatible_panels() -> list[type]:
    """Blender's panels that fit our engine."""
    found = []
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", ())
        if panel.__name__ in EXCLUDED:
            continue
        if LIKE[0] in engines or (panel.__name__.startswith(LOOK_PANELS) and set(LIKE) & set(engines)):
            found.append(panel)
    return found


def register() -> None:
    """Show them."""
    for panel in compatible_panels():
        panel.COMPAT_ENGINES.add(ErlnetRenderEngine.bl_idname)


def unregister() -> None:
    """Hide them again, from wherever our engine was added."""
    for panel in bpy.types.Panel.__subclasses__():
        getattr(panel, "COMPAT_ENGINES", set()).discard(ErlnetRenderEngine.bl_idname)
