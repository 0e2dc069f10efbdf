"""The render engine: registered by the add-on, and unregistered before Python ends.

The `bpy` module hangs at interpreter exit while a Python render engine is registered.
"""

from __future__ import annotations

import bpy


def register() -> None:
    """Add the engine to Blender's menu."""
    from . import compatibility
    from .engine import ErlnetRenderEngine

    bpy.utils.register_class(ErlnetRenderEngine)
    compatibility.register()


def unregister() -> None:
    """Take the engine out of Blender's menu and stop its worker."""
    from ..worker.client import close_shared_client
    from . import compatibility
    from .engine import ErlnetRenderEngine

    compatibility.unregister()
    bpy.utils.unregister_class(ErlnetRenderEngine)
    close_shared_client()
