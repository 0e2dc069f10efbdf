"""ERLNet: speech and a style become an editable FLAME performance, rendered as a neural head.

Importing this package imports nothing heavy; Blender calls `register` when the add-on is enabled.
"""


def register() -> None:
    """Enable the add-on."""
    from . import addon

    addon.register()


def unregister() -> None:
    """Disable the add-on; nothing of it stays in Blender."""
    from . import addon

    addon.unregister()
