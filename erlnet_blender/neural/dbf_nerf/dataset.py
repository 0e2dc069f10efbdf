"""A capture on disk: pictures with alpha, cameras in GaussianAvatars' dialect of transforms.json, one FaceTrack.

images/00000.png …   RGBA, straight alpha, sRGB
transforms.json      "frames": file_path, timestep_index, transform_matrix (rig_from_camera, OpenGL axes),
                     fl_x, fl_y, cx, cy, w, h, split ("train", "test", or another name)
track.npz            FaceTrack; a frame's timestep_index is its place in it
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...camera import Camera
from ...errors import ErlnetError
from ...face_track import FaceTrack

_MAKE = "make it with `python -m studio.capture`, or from other data with `erlnet convert`"
_MOST_PIXELS = 1 << 26


@dataclass(frozen=True)
class Shot:
    """One picture: where it lies, its camera, its place in the track, and what it is for."""

    path: Path
    camera: Camera
    timestep: int
    split: str


@dataclass(frozen=True)
class CaptureDataset:
    """Shots and the track that they show."""

    shots: list[Shot]
    track: FaceTrack
    folder: Path

    @classmethod
    def load(cls, folder: str | os.PathLike) -> CaptureDataset:
        """Read the index; pictures are read one by one with `picture`.

        Raises:
            ErlnetError: something is missing or malformed.
        """
        folder = Path(folder)
        index = folder / "transforms.json"
        try:
            data = json.loads(index.read_text("utf-8"))
            shots = [_shot(folder, data, entry) for entry in data["frames"]]
        except OSError as error:
            raise ErlnetError(f"Not a capture ({error.strerror})", index, _MAKE) from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise ErlnetError(f"Not a readable capture ({type(error).__name__}: {error})", index, _MAKE) from error
        if not shots:
            raise ErlnetError("The capture has no pictures", index, _MAKE)
        track = FaceTrack.load(folder / "track.npz")
        last = max(shot.timestep for shot in shots)
        if last >= len(track) or min(shot.timestep for shot in shots) < 0:
            raise ErlnetError(f"A picture shows frame {last} of a track of {len(track)}", index, _MAKE)
        return cls(shots, track, folder)

    def of(self, split: str) -> list[Shot]:
        """The shots of a split, in order."""
        return [shot for shot in self.shots if shot.split == split]

    def picture(self, shot: Shot) -> np.ndarray:
        """(H, W, 4) uint8, straight alpha.

        Raises:
            ErlnetError: the picture is missing, damaged, or of another size than its camera.
        """
        from PIL import Image

        try:
            with Image.open(shot.path) as image:
                if image.size != (shot.camera.width, shot.camera.height):
                    what = f"The picture is {image.width} x {image.height}, not its camera's size"
                    raise ErlnetError(what, shot.path, _MAKE)
                return np.asarray(image.convert("RGBA"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ErlnetError(f"Cannot read a picture ({error})", shot.path, _MAKE) from error


def _shot(folder: Path, data: dict, entry: dict) -> Shot:
    value = {**data, **entry}
    matrix = np.asarray(value["transform_matrix"], np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError("transform_matrix is not a finite 4 x 4 matrix")
    lens = [float(value[name]) for name in ("fl_x", "fl_y", "cx", "cy")]
    width, height = int(value["w"]), int(value["h"])
    if not (np.isfinite(lens).all() and min(lens[:2]) > 0 and min(width, height) > 0 and width * height < _MOST_PIXELS):
        raise ValueError("a camera's focal lengths, principal point or size cannot be")
    camera = Camera(matrix, *lens, width, height)
    path = (folder / value["file_path"]).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"file_path {value['file_path']!r} leaves the folder")
    return Shot(path, camera, int(value["timestep_index"]), str(value.get("split", "train")))


def frame_entry(name: str, timestep: int, camera: Camera, split: str) -> dict:
    """One entry of transforms.json's frames."""
    return {
        "file_path": name,
        "timestep_index": timestep,
        "camera_index": 0,
        "transform_matrix": np.asarray(camera.rig_from_camera, float).tolist(),
        "fl_x": float(camera.focal_x),
        "fl_y": float(camera.focal_y),
        "cx": float(camera.centre_x),
        "cy": float(camera.centre_y),
        "w": int(camera.width),
        "h": int(camera.height),
        "split": split,
    }
