"""The one thing that flows: a sequence of FLAME coefficients over time (numpy only).

ADF makes it, the tracker makes it from video, importers make it from other tools' files, the rig
is keyed from it and can be read back into it, and the renderer eats one frame of it at a time.
Rotations are axis-angle in radians, translations metres, everything float32.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace

import numpy as np

from .errors import ErlnetError
from .formats.atomic import atomic_path
from .formats.npz import read_npz

POSES = ("jaw_pose", "neck_pose", "rotation", "translation")
CHANNELS = {"expr": None, **dict.fromkeys(POSES, 3), "eyes_pose": 6, "eyelids": 2}


@dataclass
class FaceTrack:
    """N frames of FLAME coefficients at a frame rate.

    Args:
        expr: (N, E) expression coefficients of the head model `head_id`.
        fps: frames per second.
        head_id: which head model the coefficients belong to.
        jaw_pose, neck_pose, rotation: (N, 3) axis-angle, radians; zeros if left out.
        translation: (N, 3) root translation, metres; zeros if left out.
        eyes_pose: (N, 6) left eye, right eye; axis-angle, radians; zeros if left out.
        eyelids: (N, 2) closure of the left and right eye, 0 open to 1 shut; zeros if left out.
        shape: (S,) identity coefficients; zeros(0) if left out (the template).
        source: JSON text: what made it.

    Raises:
        ErlnetError: a channel has the wrong shape or holds NaN or infinity.
    """

    expr: np.ndarray
    fps: float
    head_id: str
    jaw_pose: np.ndarray = field(default_factory=lambda: np.zeros(0))
    neck_pose: np.ndarray = field(default_factory=lambda: np.zeros(0))
    rotation: np.ndarray = field(default_factory=lambda: np.zeros(0))
    translation: np.ndarray = field(default_factory=lambda: np.zeros(0))
    eyes_pose: np.ndarray = field(default_factory=lambda: np.zeros(0))
    eyelids: np.ndarray = field(default_factory=lambda: np.zeros(0))
    shape: np.ndarray = field(default_factory=lambda: np.zeros(0))
    source: str = "{}"

    def __post_init__(self) -> None:
        self.expr = np.atleast_2d(np.asarray(self.expr, np.float32))
        count = len(self.expr)
        for name, width in CHANNELS.items():
            value = np.asarray(getattr(self, name), np.float32)
            if value.size == 0 and width is not None:
                value = np.zeros((count, width), np.float32)
            if value.ndim != 2 or len(value) != count or (width is not None and value.shape[1] != width):
                raise ErlnetError(f"Channel {name} has shape {value.shape}, expected ({count}, {width or 'E'})")
            if not np.isfinite(value).all():
                raise ErlnetError(f"Channel {name} holds NaN or infinity", "", "make the track again")
            setattr(self, name, value)
        self.shape = np.asarray(self.shape, np.float32).ravel()
        self.fps = float(self.fps)
        if not (np.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise ErlnetError(f"Frame rate {self.fps} is not between 0 and 1000")

    @classmethod
    def joined(cls, pieces: list[FaceTrack], source: str = "{}") -> FaceTrack:
        """One track of pieces of the same head and frame rate, one after the other; there must be one."""
        first = pieces[0]
        channels = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in CHANNELS}
        return cls(fps=first.fps, head_id=first.head_id, shape=first.shape, source=source, **channels)

    def __len__(self) -> int:
        return len(self.expr)

    def __getitem__(self, frames: int | slice) -> FaceTrack:
        """The chosen frames; one frame gives a track of length one."""
        if isinstance(frames, (int, np.integer)):
            index = int(frames) % len(self) if -len(self) <= frames < len(self) else None
            if index is None:
                raise IndexError(f"frame {frames} of a track of {len(self)}")
            frames = slice(index, index + 1)
        return replace(self, **{name: getattr(self, name)[frames] for name in CHANNELS})

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self) / self.fps

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field as an array, as it is stored and sent."""
        values = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        return {**values, "fps": np.float64(self.fps)}  # type: ignore[dict-item]

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> FaceTrack:
        """The inverse of `arrays`; keys that a track does not have are ignored.

        Raises:
            ErlnetError: a needed key is missing or a channel is malformed.
        """
        missing = [key for key in ("expr", "fps", "head_id") if key not in arrays]
        if missing:
            raise ErlnetError(f"Not a face track: no {', '.join(missing)}")
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in arrays.items() if key in known}
        for key in ("head_id", "source"):
            if key in values:
                values[key] = str(np.asarray(values[key]))
        return cls(**{**values, "fps": float(np.asarray(arrays["fps"]))})

    def save(self, path: str | os.PathLike) -> None:
        """Write an ``.npz`` at once, whole or not at all."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **self.arrays())

    @classmethod
    def load(cls, path: str | os.PathLike) -> FaceTrack:
        """Read an ``.npz`` that `save` wrote.

        Raises:
            ErlnetError: the file is missing, not a face track, or damaged.
        """
        try:
            return cls.from_arrays(read_npz(path, "face track"))
        except (TypeError, ValueError) as error:
            raise ErlnetError(f"Not a face track ({error})", path, "choose a file made by `erlnet bake`") from error
