"""The pinhole camera as it crosses from Blender to the renderer (numpy only).

Conventions: metres; camera axes as in Blender and OpenGL (x right, y up, looking along -z);
pixel centres at integer + 0.5 with the origin at the top left corner of the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the rig's frame.

    Args:
        rig_from_camera: (4, 4) rigid transform; metres.
        focal_x, focal_y: focal lengths in pixels.
        centre_x, centre_y: principal point in pixels, from the top left corner.
        width, height: image size in pixels.
    """

    rig_from_camera: np.ndarray
    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    width: int
    height: int

    def to_dict(self) -> dict:
        """Plain numbers, for JSON headers."""
        return {
            "rig_from_camera": np.asarray(self.rig_from_camera, float).tolist(),
            "focal_x": float(self.focal_x),
            "focal_y": float(self.focal_y),
            "centre_x": float(self.centre_x),
            "centre_y": float(self.centre_y),
            "width": int(self.width),
            "height": int(self.height),
        }

    @classmethod
    def from_dict(cls, data: dict) -> Camera:
        """The inverse of `to_dict`."""
        return cls(**{**data, "rig_from_camera": np.asarray(data["rig_from_camera"], np.float64)})

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Origin (3,) and unit directions (height, width, 3) of the pixel centres, in the rig's frame."""
        x = (np.arange(self.width) + 0.5 - self.centre_x) / self.focal_x
        y = -(np.arange(self.height) + 0.5 - self.centre_y) / self.focal_y
        grid_x, grid_y = np.meshgrid(x, y)
        directions = np.stack([grid_x, grid_y, -np.ones_like(grid_x)], -1)
        directions = directions @ np.asarray(self.rig_from_camera)[:3, :3].T
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        return np.asarray(self.rig_from_camera)[:3, 3], directions
