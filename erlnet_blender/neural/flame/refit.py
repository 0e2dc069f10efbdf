"""A track made for one head, for another: the same movements of the face in the other head's coefficients.

Movements, not places: what is fitted is how far each point of the face is from where it rests on its own head, turned
and scaled to the other head's size. Places would push the identity of one head into the expressions of the other, and
a track would no longer begin and end in the other head's own neutral face; displacements carry nothing but motion
(expression transfer, after Noh and Neumann 2001), so two heads' rests always correspond and so do their templates.
Identity itself, where a track has one, goes the same way: the offset from one template becomes an offset from the
other, by one solve.

Neck, root and eyes are carried over as they are, since joints mean the same in every head; so are the eyelids where
both heads have them. Where only the source has them their movement is fitted by expressions, where only the target has
them they are fitted too. Jaw and expressions are fitted together by Gauss-Newton on all frames at once: the goals are
carried back through the jaw's rotation into the rest pose, where expressions are linear and their part of the
normal equations is the same for every frame.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...errors import Cancelled, ErlnetError
from ...face_track import FaceTrack
from ...formats.head_model import JOINTS, HeadModel
from .bounded import SIGMAS, limits, minimise
from .correspondence import Pair, correspond, same_mathematics
from .lbs import FlameTensors, forward, rotation_matrices
from .surface import restricted

JAW = JOINTS.index("jaw")
NOISE_M = 0.0003
"""How exactly a point is believed to correspond; against it the size of the coefficients is weighed."""
_INDEPENDENT_POINTS = 50.0
_JAW_SIGMA_RAD = np.deg2rad(3.0)
_JAW_LIMIT_RAD = np.deg2rad(45.0)
_ITERATIONS = 4
_CHUNK = 64
_STEP_RAD = 1e-3


@dataclass(frozen=True)
class Refit:
    """A refitted track and how well it follows the one that it was made from.

    Args:
        track: for the target head.
        rms_mm, max_mm: distance between where the face's points should be and are, over all points and frames.
        motion_rms_mm: what the source moves them by, to compare.
        points: how many of them.
    """

    track: FaceTrack
    rms_mm: float
    max_mm: float
    motion_rms_mm: float
    points: int

    def figures(self) -> dict[str, float]:
        """The residual, for people and programs."""
        names = ("rms_mm", "max_mm", "motion_rms_mm", "points")
        return {name: getattr(self, name) for name in names}


def refit(
    track: FaceTrack,
    source: HeadModel,
    target: HeadModel,
    progress: Callable[..., None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Refit:
    """The track's motion on another head.

    Args:
        track: made for `source`; progress: called with the fraction done and a word; cancelled: asked often.

    Raises:
        ErlnetError: the track is not the source's, or one head does not look like a head.
    """
    check_source(track, source)
    kind = {"refitted_from": track.head_id, "source": track.source}
    if same_mathematics(source, target):
        return Refit(replace(track, head_id=target.id, source=json.dumps(kind)), 0.0, 0.0, 0.0, 0)
    if progress is not None:
        progress(0.0, "laying the heads over each other")
    pair = correspond(source, target)
    transfer = Transfer.between(source, target, pair, track.shape)
    parts = []
    for start in range(0, len(track), _CHUNK):
        if cancelled is not None and cancelled():
            raise Cancelled
        parts.append(transfer.solve(track[start : start + _CHUNK]))
        if progress is not None:
            progress(min(1.0, (start + _CHUNK) / len(track)), "refitting")
    expr, jaw, lids, squared, moved = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    kind |= {"rms_mm": 1000 * float(np.sqrt(squared.mean()))}
    fitted = replace(
        track,
        expr=expr,
        jaw_pose=jaw,
        eyelids=lids,
        shape=transfer.shape,
        head_id=target.id,
        source=json.dumps(kind),
    )
    worst, motion = 1000 * float(np.sqrt(squared.max())), 1000 * float(np.sqrt(moved.mean()))
    return Refit(fitted, kind["rms_mm"], worst, motion, len(pair.weights))


def check_source(track: FaceTrack, source: HeadModel) -> None:
    """Raise ErlnetError unless the track's coefficients are the source's."""
    if track.head_id != source.id:
        what = f"The track belongs to head {track.head_id!r}, not to {source.id!r}"
        remedy = "name the head that it was made for: `erlnet convert TRACK.npz --from-head HEAD.npz`"
        raise ErlnetError(what, "", remedy)
    if not len(track):
        raise ErlnetError("The track has no frames", "", "choose another track")
    for what, have, most in (
        ("expressions", track.expr.shape[1], source.expressiondirs.shape[-1]),
        ("identity coefficients", len(track.shape), source.shapedirs.shape[-1]),
    ):
        if have > most:
            raise ErlnetError(f"The track has {have} {what}, its head {source.id!r} has {most}", "", "choose its head")


@dataclass
class Transfer:
    """The motion of one head's face as a problem in another head's coefficients.

    Args:
        source, target: both heads at the P points that they share.
        carry: (3, 3) a displacement of the target from one of the source.
        weights: (3P,) of the coordinates.
        basis: (3P, C) what the target's expressions, and its eyelids if they are to be fitted, move at rest.
        low, high: (C,) limits of the coefficients.
        rest_source, rest_target: (P + 5, 3) the neutral faces, and joints.
    """

    source: FlameTensors
    target: FlameTensors
    carry: Tensor
    weights: Tensor
    basis: Tensor
    low: Tensor
    high: Tensor
    source_shape: Tensor
    shape: np.ndarray
    rest_source: Tensor
    rest_target: Tensor
    lids_move: bool
    fits_lids: bool

    @classmethod
    def between(cls, source: HeadModel, target: HeadModel, pair: Pair, shape: np.ndarray) -> Transfer:
        """Set up for tracks of one identity `shape` (S',) of the source."""
        one, other = restricted(source, pair.source), restricted(target, pair.target)
        count = len(pair.weights)
        carry = torch.as_tensor(pair.similarity.scale * pair.similarity.rotation)
        weights = torch.as_tensor(np.repeat(pair.weights, 3)) * _INDEPENDENT_POINTS / NOISE_M**2
        source_shape = torch.as_tensor(shape, dtype=torch.float64)
        offset = one.shapedirs[..., : len(shape)] @ source_shape
        wanted = (offset[:count] @ carry.T).reshape(-1)
        target_shape = _ridge(other.shapedirs[:count].reshape(3 * count, -1), wanted, weights)
        rest_target = other.v_template + other.shapedirs @ target_shape
        basis = other.expressiondirs[:count].reshape(3 * count, -1)
        low, high = limits(target)
        fits_lids = source.eyelids is None and target.eyelids is not None
        if fits_lids:
            basis = torch.cat([basis, other.eyelids[:, :count].reshape(2, -1).T], 1)
            low, high = torch.cat([low, torch.zeros(2)]), torch.cat([high, torch.ones(2)])
        return cls(
            one, other, carry, weights, basis, low, high, source_shape,
            target_shape.numpy() if len(shape) else np.zeros(0), one.v_template + offset, rest_target,
            lids_move=source.eyelids is not None and target.eyelids is None, fits_lids=fits_lids,
        )  # fmt: skip

    def solve(self, track: FaceTrack) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Expressions (N, E), jaw (N, 3), eyelids (N, 2), squared residual and squared motion (N, P) in m²."""
        jaw = torch.as_tensor(track.jaw_pose, dtype=torch.float64)
        expr = torch.as_tensor(track.expr, dtype=torch.float64)
        lids = torch.as_tensor(track.eyelids, dtype=torch.float64)
        motion = self._motion(expr, jaw, lids)
        found, jaw = self.fit(motion, jaw)
        if self.fits_lids:
            lids = found[:, -2:]
            found = found[:, :-2]
        elif self.lids_move:
            lids = torch.zeros_like(lids)
        reached = self._reached(found, jaw, lids if self.fits_lids else torch.zeros_like(lids))
        return found, jaw, lids, ((reached - motion) ** 2).sum(-1), (motion**2).sum(-1)

    def _motion(self, expr: Tensor, jaw: Tensor, lids: Tensor) -> Tensor:
        """(N, P, 3) how far each point should be from the target's neutral face."""
        posed = forward(
            self.source, expr, _jaw_only(jaw), None, self.source_shape, lids if self.lids_move else None
        ).vertices
        return (posed - self.rest_source)[:, : len(self.weights) // 3] @ self.carry.T

    def _reached(self, expr: Tensor, jaw: Tensor, lids: Tensor) -> Tensor:
        shape = torch.as_tensor(self.shape, dtype=torch.float64)
        posed = forward(self.target, expr, _jaw_only(jaw), None, shape, lids).vertices
        return (posed - self.rest_target)[:, : len(self.weights) // 3]

    def fit(self, motion: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients (N, C) of `basis` and jaw (N, 3) for how far (N, P, 3) the points of the target should move.

        Args:
            start: (N, 3) the jaw to begin with, and to stay near to where the points do not tell.
        """
        count, columns = len(motion), self.basis.shape[1]
        weighted = self.basis * self.weights[:, None]
        H = torch.zeros(count, columns + 3, columns + 3, dtype=torch.float64)
        H[:, :columns, :columns] = weighted.T @ self.basis + torch.eye(columns)
        low = torch.cat([self.low, torch.full((3,), -_JAW_LIMIT_RAD)])
        high = torch.cat([self.high, torch.full((3,), _JAW_LIMIT_RAD)])
        jaw, coefficients = start, None
        for _ in range(_ITERATIONS):
            joint = self._jaw_joint(coefficients, count)
            still = self._at_rest(motion, jaw, joint)  # (N, 3P)
            aside = [self._at_rest(motion, jaw + _STEP_RAD * axis, joint) for axis in torch.eye(3)]
            slopes = torch.stack([(moved - still) / _STEP_RAD for moved in aside], -1)
            # The residual, basis · coefficients - still(jaw), with still linear in the jaw about where it is.
            cross = -torch.einsum("kc,nkj->ncj", weighted, slopes)
            H[:, :columns, columns:], H[:, columns:, :columns] = cross, cross.mT
            own = torch.einsum("nkj,k,nki->nji", slopes, self.weights, slopes)
            H[:, columns:, columns:] = own + torch.eye(3) / _JAW_SIGMA_RAD**2
            constant = still - (slopes @ jaw[..., None])[..., 0]
            pull = torch.einsum("nkj,k,nk->nj", slopes, self.weights, constant)
            g = torch.cat([constant @ weighted, start / _JAW_SIGMA_RAD**2 - pull], 1)
            before = None if coefficients is None else torch.cat([coefficients, jaw], 1)
            found = minimise(H, g, low, high, before)
            coefficients, jaw = found[:, :columns], found[:, columns:]
        assert coefficients is not None
        return coefficients, jaw

    def _jaw_joint(self, coefficients: Tensor | None, count: int) -> Tensor:
        """(N, 3) where the target's jaw turns; in FLAME expressions move it a little."""
        row = len(self.rest_target) - len(JOINTS) + JAW
        joint = self.rest_target[row].expand(count, 3)
        if coefficients is None:
            return joint
        directions = self.target.expressiondirs[row]
        return joint + coefficients[:, : directions.shape[1]] @ directions.T

    def _at_rest(self, motion: Tensor, jaw: Tensor, joint: Tensor) -> Tensor:
        """(N, 3P) what expressions must do at rest so that the jaw's rotation carries it to the goal."""
        count = motion.shape[1]
        rest, share = self.rest_target[:count], self.target.weights[:count, JAW]
        angle = jaw.norm(dim=-1)
        axis = (jaw / angle.clamp_min(1e-12)[:, None])[:, None]  # (N, 1, 3)
        # A share of a rotation keeps its axis and acts on the plane across it as a complex number does.
        real = 1 + share * (angle.cos() - 1)[:, None]
        imaginary = share * angle.sin()[:, None]
        squared = real**2 + imaginary**2
        real, imaginary = (real / squared)[..., None], (-imaginary / squared)[..., None]
        arm = rest + motion - joint[:, None]
        # goal = joint + M (rest + wanted + correctives - joint), M the share of the rotation.
        along = (arm * axis).sum(-1, keepdim=True) * axis
        back = along + real * (arm - along) + imaginary * torch.linalg.cross(axis.expand_as(arm), arm)
        features = torch.zeros(len(jaw), 36, dtype=jaw.dtype)
        turned = rotation_matrices(jaw) - torch.eye(3, dtype=jaw.dtype)
        features[:, 9 * (JAW - 1) : 9 * JAW] = turned.reshape(-1, 9)
        correctives = (features @ self.target.posedirs[:, : 3 * count]).reshape(-1, count, 3)
        return (back + joint[:, None] - rest - correctives).reshape(len(jaw), -1)


def _jaw_only(jaw: Tensor) -> Tensor:
    pose = torch.zeros(len(jaw), len(JOINTS), 3, dtype=jaw.dtype)
    pose[:, JAW] = jaw
    return pose


def _ridge(basis: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """(S,) identity coefficients, few sigma, that move the points as wanted."""
    count = basis.shape[1]
    H = (basis * weights[:, None]).T @ basis + torch.eye(count)
    limit = torch.full((count,), SIGMAS, dtype=torch.float64)
    return minimise(H, basis.T @ (weights * wanted), -limit, limit)
