"""Which way a dataset's camera matrices are meant: from or to the camera, and with whose axes.

The four usual readings of one matrix put the camera in four different places. A head is seen upright, in front of the
camera and within the picture; the reading that a dialect documents is taken if it shows it so, else the one that does
and has it nearest to the pictures' middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....camera import Camera
from .folder import Folder

_ENOUGH = 0.8
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Convention:
    """How a matrix is meant.

    Args:
        to_world: it carries from the camera to the world (camera-to-world), else the other way.
        opencv: camera axes are x right, y down, z ahead; else OpenGL's, x right, y up, looking along -z.
    """

    to_world: bool
    opencv: bool

    def world_from_camera(self, matrices: np.ndarray) -> np.ndarray:
        """(N, 4, 4) with OpenGL's axes, as `camera.Camera` has them."""
        matrices = matrices if self.to_world else np.linalg.inv(matrices)
        return matrices @ _FLIP if self.opencv else matrices

    def __str__(self) -> str:
        way = "camera-to-world" if self.to_world else "world-to-camera"
        return f"{way} with {'OpenCV' if self.opencv else 'OpenGL'} axes"


CONVENTIONS = tuple(Convention(to_world, opencv) for to_world in (True, False) for opencv in (False, True))


@dataclass(frozen=True)
class Lens:
    """What of a pinhole camera is no place: focal lengths, principal point and size, all in pixels."""

    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    width: int
    height: int

    def camera(self, world_from_camera: np.ndarray) -> Camera:
        """The camera at a place."""
        lens = (self.focal_x, self.focal_y, self.centre_x, self.centre_y, self.width, self.height)
        return Camera(world_from_camera, *lens)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


def settle(
    folder: Folder, documented: Convention, matrices: np.ndarray, lenses: list[Lens], heads: np.ndarray
) -> tuple[list[Camera], str]:
    """Cameras in the world, and a line that says how their matrices were read.

    Args:
        matrices: (N, 4, 4), one a shot; heads: (N, 4, 4) world_from_head of the head that each shows.

    Raises:
        ErlnetError: no reading shows the head.
    """
    shown = {reading: _shown(reading.world_from_camera(matrices), lenses, heads) for reading in CONVENTIONS}
    good = [reading for reading in CONVENTIONS if shown[reading][0] >= _ENOUGH]
    if not good:
        what = "However the cameras' matrices are read, they do not show an upright head"
        raise folder.refuse(what, "", "check that cameras and head parameters belong together")
    chosen = documented if documented in good else min(good, key=lambda reading: shown[reading][1])
    placed = chosen.world_from_camera(matrices)
    cameras = [lens.camera(matrix) for lens, matrix in zip(lenses, placed, strict=True)]
    usual = "" if chosen == documented else f", though {documented} is usual: that does not show the head"
    return cameras, f"cameras: {chosen}{usual}"


def _shown(world_from_camera: np.ndarray, lenses: list[Lens], heads: np.ndarray) -> tuple[float, float]:
    """The share of shots that see the head's middle in front of them, in the picture, and the right way up.

    And how far it is from the picture's middle, the median in pictures.
    """
    inside = np.linalg.inv(world_from_camera) @ heads
    place, up = inside[:, :3, 3], inside[:, :3, 1]
    lens = np.array([[one.focal_x, one.focal_y, one.centre_x, one.centre_y, *one.size] for one in lenses])
    ahead = place[:, 2] < -1e-3
    depth = np.where(ahead, -place[:, 2], 1.0)
    at = lens[:, 2:4] + lens[:, :2] * place[:, :2] / depth[:, None] * [1, -1]
    off = np.abs(at / lens[:, 4:] - 0.5).max(1)
    return float((ahead & (off < 0.5) & (up[:, 1] > 0)).mean()), float(np.median(off))
