"""Poses that are learnt beside the field: a branch that reads the training frame, and a residual for each frame.

The pose branch looks at a frame and says by what six numbers, 3-D orientation and 3-D position, its head pose is off;
being one small network for all frames it finds what they have in common quickly. What is left, and jaw, gaze, eyelids
and expressions, is a table. Both get their gradients from the picture alone, through `HitMotion`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....face_track import FaceTrack
from ..canonical_rays import Frames
from ..driving_mesh import DrivingMesh
from ..hit_motion import EXPRESSION, EYES, JAW, LIDS, NECK, ROOT, TRANSLATION, HitMotion, parameters_of, track_of

PICTURE = 64  # side of what the branch sees, pixels
STARTS, ENDS = 0.05, 0.95
"""Share of the run before poses may move, since an empty field knows nothing of them, and after which they stay."""
_LEVELS_OPEN = 0.35
_BRANCH_RATE, _LARGEST_ROTATION_RAD, _LARGEST_MOVE_M = 3e-4, 0.1, 0.01
# Of each parameter: how far a step moves it at most (radians, metres, shares), and a small pull back to what was
# given, for what the picture does not tell.
_STEPS = (
    (ROOT, 2e-4, 3e-3),
    (TRANSLATION, 1.2e-4, 1e-2),
    (NECK, 1.2e-3, 3e-3),
    (JAW, 1e-3, 1e-2),
    (EYES, 2e-3, 1e-2),
    (LIDS, 5e-3, 1e-2),
    (EXPRESSION, 3e-3, 3e-3),
)


class PoseBranch(nn.Module):
    """(F, 4, 64, 64) premultiplied pictures and the (F, 6) poses they are said to have, to (F, 6) corrections."""

    def __init__(self) -> None:
        super().__init__()
        widths = (4, 16, 24, 32, 32)
        layers: list[nn.Module] = []
        for taken, given in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(taken, given, 3, stride=2, padding=1), nn.ReLU()]
        self.look = nn.Sequential(*layers, nn.Flatten())
        self.say = nn.Sequential(nn.Linear(widths[-1] * (PICTURE // 16) ** 2 + 6, 64), nn.ReLU(), nn.Linear(64, 6))
        with torch.no_grad():
            self.say[-1].weight.zero_()
            self.say[-1].bias.zero_()

    def forward(self, pictures: Tensor, poses: Tensor) -> Tensor:
        """Orientation (radians) and position (metres), both bounded."""
        said = torch.tanh(self.say(torch.cat([self.look(pictures), poses], 1)))
        return torch.cat([_LARGEST_ROTATION_RAD * said[:, :3], _LARGEST_MOVE_M * said[:, 3:]], 1)


class Refinement(nn.Module):
    """Head poses and FLAME parameters of the training frames.

    Args:
        track: F frames as they were given; pictures: (F, 4, 64, 64) of them, premultiplied.
    """

    given: Tensor
    pictures: Tensor
    built: Tensor

    def __init__(self, mesh: DrivingMesh, track: FaceTrack, pictures: Tensor) -> None:
        super().__init__()
        self.track = track
        given = parameters_of(mesh, track)
        self.register_buffer("given", given)
        self.register_buffer("pictures", pictures.to(mesh.device), persistent=False)
        # What the frames in memory were made with: see `HitMotion`.
        self.register_buffer("built", given.clone())
        self.residual = nn.Parameter(torch.zeros_like(given))
        self.branch = PoseBranch().to(mesh.device)
        self.motion = HitMotion(mesh, torch.as_tensor(track.shape, dtype=torch.float32))
        scale = torch.ones(given.shape[1], device=mesh.device)
        pull = torch.ones_like(scale)
        for part, step, back in _STEPS:
            scale[part], pull[part] = step, back * 1e-3
        self.scale, self.pull = scale, pull

    def parameters_now(self) -> Tensor:
        """(F, 20 + E) what the frames are held to be."""
        poses = torch.cat([self.given[:, NECK], 10 * self.given[:, TRANSLATION]], 1)
        turn, move = self.branch(self.pictures, poses).split(3, 1)
        # The table is in steps of its rates, so that one learning rate serves all of it.
        change = self.scale * self.residual
        root, moved, turned, rest = change[:, ROOT], change[:, TRANSLATION], change[:, NECK], change[:, NECK.stop :]
        rigid = torch.cat([root, moved + move, turned + turn], 1)
        # What all frames share is no matter of poses: the field would take it over, and the head drift away.
        return self.given + torch.cat([rigid - rigid.mean(0), rest], 1)

    def refined_track(self) -> FaceTrack:
        """The frames as they are now held to be."""
        with torch.no_grad():
            return track_of(self.parameters_now(), self.track)

    def note_built(self) -> None:
        """The tables of all frames are about to be made anew, from `refined_track`."""
        with torch.no_grad():
            self.built.copy_(self.parameters_now())

    def moving(self, frames: Frames, chosen: Tensor) -> Frames:
        """`frames` with poses that gradients reach; `chosen` (frames,) says which of the F frames they show."""
        now, before = self.motion.pose(self.parameters_now()[chosen]), self.motion.pose(self.built[chosen])
        return frames.moved(self.motion, now, before)

    def pull_back(self) -> Tensor:
        """A small loss for every step away from what was given."""
        return (self.pull * self.residual.square()).sum() / len(self.residual)

    def groups(self) -> list[dict]:
        """For the optimiser."""
        return [{"params": [self.residual], "lr": 1.0}, {"params": list(self.branch.parameters()), "lr": _BRANCH_RATE}]


def level_weights(progress: float, levels: int) -> Tensor:
    """(levels,) how much of each level of the grids is seen while poses settle, coarse to fine.

    Source: Lin et al., "BARF: Bundle-adjusting neural radiance fields", 2021, eq. 14, over levels of a hash grid
    as Heo et al., "Robust camera pose refinement for multi-resolution hash encoding", 2023, have it. A third of the
    levels is open from the start.
    """
    open_levels = levels * (1 / 3 + 2 / 3 * min(1.0, progress / _LEVELS_OPEN))
    part = (open_levels - torch.arange(levels)).clamp(0, 1)
    return (1 - torch.cos(torch.pi * part)) / 2
