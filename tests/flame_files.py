"""Files in the structure of FLAME's own and of its companions, made from a head that is nobody's FLAME."""

from __future__ import annotations

from .flame_head import flame_arrays, flame_sized_head, landmark_embedding

__all__ = ["flame_arrays", "flame_sized_head", "landmark_embedding"]
