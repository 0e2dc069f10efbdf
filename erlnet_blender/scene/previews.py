"""Pictures of our own in Blender's panels, drawn from arrays and kept until they change."""

from __future__ import annotations

import bpy
import bpy.utils.previews
import numpy as np

# Pictures that were drawn since the add-on was enabled; beyond so many all are drawn anew.
_MOST = 200
_collection = None


def icon_of(key: str, picture: np.ndarray) -> int:
    """The icon that shows a picture; a key is drawn once.

    Args:
        picture: (H, W, 4) uint8 sRGB and alpha, the top row first.
    """
    global _collection
    if _collection is None:
        _collection = bpy.utils.previews.new()
    if key not in _collection:
        if len(_collection) >= _MOST:
            _collection.clear()
        preview = _collection.new(key)
        height, width = picture.shape[:2]
        preview.image_size = (width, height)
        # Blender's icons have their colours multiplied by alpha; straight ones have bright edges.
        upright = picture[::-1].copy()
        upright[..., :3] = upright[..., :3] * (upright[..., 3:] / 255)
        preview.image_pixels.foreach_set(upright.view("<i4").ravel())
    return _collection[key].icon_id


def unregister() -> None:
    """Let go of all pictures."""
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
        _collection = None
