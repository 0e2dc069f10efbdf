"""What every dialect is read into: shots with cameras in a world, and the head's coefficients in the same world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ....camera import Camera
from ....face_track import FaceTrack
from ....formats.head_model import HeadModel
from .folder import Folder
from .pictures import Cutout

FPS = 25.0
TRAIN, VAL, TEST = "train", "val", "test"
_HELD_OUT = 10
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Take:
    """One picture of foreign footage.

    Args:
        picture: its file; cutout: where its alpha is.
        camera: in the dataset's world; timestep: which frame of the track it shows; split: what it is for.
    """

    picture: Path
    cutout: Cutout
    camera: Camera
    timestep: int
    split: str


@dataclass(frozen=True)
class Footage:
    """A dataset, read.

    Args:
        takes: one at least; their timesteps are 0, 1, … without gaps.
        track: the head in the world, coefficients of the head that it was read with; None where the dataset has no
            FLAME coefficients: then the world is the frame of a head of some other kind, which stands still in it.
        fps: frames per second; notes: a line for everything that was assumed.
    """

    takes: list[Take]
    track: FaceTrack | None
    fps: float
    notes: list[str] = field(default_factory=list)

    @property
    def is_monocular(self) -> bool:
        """Whether no moment is seen by two cameras."""
        return len({take.timestep for take in self.takes}) == len(self.takes)


@dataclass(frozen=True)
class Dialect:
    """A way to lay out a dataset.

    Args:
        name: for people; sign: what tells it from others, for people.
        recognises: may look inside, must not raise.
        needs_head: whether it holds coefficients of a FLAME head, which then has to be named.
        read: the folder with coefficients of that head, if it has any; else the head is not asked.
    """

    name: str
    sign: str
    recognises: Callable[[Folder], bool]
    needs_head: bool
    read: Callable[[Folder, HeadModel, Progress], Footage]


def numbered(timesteps: Iterable[int]) -> dict[int, int]:
    """0, 1, … for whatever numbers there are, in their order."""
    return {timestep: number for number, timestep in enumerate(sorted(set(timesteps)))}


def split_takes(takes: list[Take]) -> tuple[list[Take], str]:
    """Each picture once, some for training and some held out, and a line on that.

    A picture that two splits list is held out; if nothing is, the last tenth of the moments is.
    """
    order = {TEST: 0, VAL: 1, TRAIN: 2}
    kept: dict[Path, Take] = {}
    for take in sorted(takes, key=lambda take: order.get(take.split, 2)):
        kept.setdefault(take.picture, take)
    found = sorted(kept.values(), key=lambda take: (take.timestep, str(take.picture)))
    names = {take.split for take in found}
    if TEST not in names and VAL in names:
        found = [replace(take, split=TEST if take.split == VAL else take.split) for take in found]
        told = "the dataset's, its val is taken as test"
    elif names == {TRAIN}:
        moments = sorted({take.timestep for take in found})
        first = moments[-max(1, len(moments) // _HELD_OUT)] if len(moments) > 1 else moments[-1] + 1
        found = [replace(take, split=TEST if take.timestep >= first else TRAIN) for take in found]
        told = "none in the dataset, the last tenth is held out as test"
    else:
        told = "the dataset's"
    counts = ", ".join(f"{sum(take.split == name for take in found)} {name}" for name in (TRAIN, VAL, TEST))
    return found, f"splits: {told} ({counts})"


def rest_joints(head: HeadModel, track: FaceTrack) -> np.ndarray:
    """(N, 5, 3) where the joints of each frame's shaped head rest, metres."""
    regressor = head.J_regressor.astype(np.float64)
    joints = regressor @ head.v_template.astype(np.float64)
    if track.shape.size:
        joints = joints + np.einsum("jv,vcs,s->jc", regressor, head.shapedirs[..., : track.shape.size], track.shape)
    moving = np.einsum("jv,vce->jce", regressor, head.expressiondirs[..., : track.expr.shape[1]])
    return joints + np.einsum("jce,ne->njc", moving, track.expr)
