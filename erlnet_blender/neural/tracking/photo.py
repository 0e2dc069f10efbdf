"""A head like the one in a photograph: identity coefficients from FaceMesh's landmarks of one picture.

Identity, expression, jaw, eyelids, pose and camera are fitted together to where 468 landmarks lie in the picture, by
Gauss-Newton with damping (Levenberg-Marquardt) and limits on every coefficient. The prior is one sigma for identity
and little for expression, so that small misfits do not become grimaces; but expressions are there, so that a smile
does not become a wide mouth. The camera is a scaled orthographic one with one term more, the nearness of the
head, which makes what is close larger (at zero it is weak perspective). What turns away from the camera counts
less, down to nothing, and the outline of the face may slide along itself: FaceMesh draws both where the picture's
contour is, and not where the same skin is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import Cancelled, ErlnetError
from ...face_track import FaceTrack
from ...formats.head_model import JOINTS, HeadModel
from ..flame.bounded import SIGMAS, limits, minimise
from ..flame.correspondence import correspondence
from ..flame.lbs import FlameTensors, forward, rotation_matrices
from ..flame.registration import Similarity
from ..flame.surface import restricted, vertex_normals
from .landmarks import LANDMARKS, OVAL, Face

JAW = JOINTS.index("jaw")
FPS = 25.0
NOISE = 0.02
"""How exactly FaceMesh is believed, as a share of the inter-ocular distance."""
_INDEPENDENT_LANDMARKS = 120.0
_EXPRESSION_SIGMA = 0.3
_JAW_SIGMA_RAD = np.deg2rad([6.0, 1.0, 1.0])
_LID_SIGMA = 0.3
# One over the distance of the camera, per metre: 0 from afar, 3 for a telephone at arm's length.
_NEARNESS, _NEARNESS_SIGMA, _NEAREST = 0.8, 0.6, 3.0
_SLIDE = 0.3
_ROUNDS = 40
_STEP = 1e-6


@dataclass(frozen=True)
class PhotoFit:
    """What was fitted.

    Args:
        track: one frame: `shape` is the identity; expression, jaw, eyelids and the head's rotation are the picture's.
        residual: RMS distance in the picture between the 468 landmarks read and fitted, as a share of the
            inter-ocular distance (between the means of the 16 landmarks round each eye).
        places: (468, 2) the fitted landmarks, pixels from the top left corner.
        note: which face was taken, if there were several.
    """

    track: FaceTrack
    residual: float
    places: np.ndarray
    note: str


@dataclass
class _Unknowns:
    """How the vector of unknowns is laid out, and what is known of it beforehand."""

    sizes: dict[str, int]
    mean: Tensor
    sigma: Tensor
    low: Tensor
    high: Tensor

    def split(self, values: Tensor) -> dict[str, Tensor]:
        """By name, each (..., size)."""
        return dict(zip(self.sizes, values.split(list(self.sizes.values()), -1), strict=True))


def fit_photo(
    face: Face, head: HeadModel, cancelled: Callable[[], bool] | None = None, source: str = "photo"
) -> PhotoFit:
    """Fit a head to a face.

    Args:
        head: any; one without landmarks gets them from `flame.correspondence`. source: for the track's `source`.

    Raises:
        ErlnetError: the head has no identity components, or does not look like a head.
    """
    if not head.shapedirs.shape[-1]:
        raise ErlnetError("The head has no identity components to fit", head.id, "use another head")
    problem = _Problem.of(face, head)
    values, damping = problem.start(), 1e-3
    cost = problem.cost(values)
    for _ in range(_ROUNDS):
        if cancelled is not None and cancelled():
            raise Cancelled
        H, g = problem.normal_equations(values)
        while damping < 1e6:
            scaled = H + damping * torch.diag(H.diagonal())
            tried = values + minimise(scaled, g, problem.low - values, problem.high - values)
            lower = problem.cost(tried)
            if lower < cost:
                break
            damping *= 4
        else:
            break
        gained, values, cost, damping = cost - lower, tried, lower, damping / 4
        problem.look_again(values)
        cost = problem.cost(values)
        if gained < 1e-5 * cost:
            break
    return problem.result(values, face, head, source)


class _Problem:
    """Least squares over the unknowns, in units where a residual of 1 is one sigma."""

    def __init__(self, flame: FlameTensors, goal: Tensor, unknowns: _Unknowns, start: Tensor, normals: Tensor) -> None:
        self.flame, self.goal, self.unknowns, self._start, self.normals = flame, goal, unknowns, start, normals
        self.low, self.high = unknowns.low, unknowns.high
        self.centre = flame.v_template[:LANDMARKS].mean(0)
        self.weights = torch.ones(LANDMARKS, 2, dtype=torch.float64)
        self.axes = torch.eye(2, dtype=torch.float64).expand(LANDMARKS, 2, 2)
        self.look_again(start)

    @classmethod
    def of(cls, face: Face, head: HeadModel) -> _Problem:
        points = correspondence(head).landmarks[:LANDMARKS]
        if not points.exist.all():
            raise ErlnetError("The head's face has holes where landmarks should be", head.id, "use another head")
        flame = restricted(head, points)
        plane = face.points[:LANDMARKS] * [1, -1, -1]  # y up, z towards the camera
        unit = face.interocular
        low, high = limits(head)
        shapes, expressions, lids = head.shapedirs.shape[-1], len(low), 2 if head.eyelids is not None else 0
        sizes = {"shape": shapes, "expr": expressions, "jaw": 3, "lids": lids, "turn": 3, "log_scale": 1, "shift": 2,
                 "nearness": 1}  # fmt: skip
        begin = Similarity.between(flame.v_template[:LANDMARKS].numpy(), plane)

        def row(**parts: object) -> Tensor:
            return torch.cat([
                torch.as_tensor(parts[name], dtype=torch.float64).expand(size) for name, size in sizes.items()
            ])  # fmt: skip

        mean = row(shape=0.0, expr=0.0, jaw=0.0, lids=0.0, turn=0.0, log_scale=0.0, shift=0.0, nearness=_NEARNESS)
        far = 1e4  # no prior to speak of
        sigma = row(shape=1.0, expr=_EXPRESSION_SIGMA, jaw=_JAW_SIGMA_RAD, lids=_LID_SIGMA, turn=far, log_scale=far,
                    shift=far, nearness=_NEARNESS_SIGMA)  # fmt: skip
        bottom = row(shape=-SIGMAS, expr=low, jaw=[0.0, -0.1, -0.1], lids=0.0, turn=-2.0, log_scale=-far, shift=-far,
                     nearness=0.0)  # fmt: skip
        top = row(shape=SIGMAS, expr=high, jaw=[0.6, 0.1, 0.1], lids=1.0, turn=2.0, log_scale=far, shift=far,
                  nearness=_NEAREST)  # fmt: skip
        middle = begin(flame.v_template[:LANDMARKS].mean(0).numpy())[:2] / unit
        start = row(shape=0.0, expr=0.0, jaw=0.0, lids=0.0, turn=_axis_angle(begin.rotation),
                    log_scale=np.log(begin.scale / unit), shift=middle, nearness=_NEARNESS)  # fmt: skip
        unknowns = _Unknowns(sizes, mean, sigma, bottom, top)
        return cls(flame, torch.as_tensor(plane[:, :2] / unit), unknowns, start, _normals(head, points.faces))

    def start(self) -> Tensor:
        """Neutral, turned as FaceMesh's own depths say."""
        return self._start

    def places(self, values: Tensor) -> Tensor:
        """(B, 468, 2) landmarks in the picture, y up, in inter-ocular distances, for unknowns (B, n)."""
        parts = self.unknowns.split(values)
        pose = torch.zeros(len(values), len(JOINTS), 3, dtype=values.dtype)
        pose[:, JAW] = parts["jaw"]
        lids = parts["lids"] if parts["lids"].shape[1] else None
        posed = forward(self.flame, parts["expr"], pose, None, parts["shape"], lids).vertices[:, :LANDMARKS]
        turned = (posed - self.centre) @ rotation_matrices(parts["turn"]).mT
        nearer = 1 / (1 - parts["nearness"][..., None] * turned[..., 2:])
        return parts["log_scale"].exp()[..., None] * turned[..., :2] * nearer + parts["shift"][:, None]

    def look_again(self, values: Tensor) -> None:
        """Count what faces away less, and let the outline slide along itself."""
        turn = rotation_matrices(self.unknowns.split(values)["turn"])
        facing = (self.normals @ turn.T)[:, 2]
        visible = (facing / 0.3).clamp(0.02, 1)
        outline = self.goal[list(OVAL)]
        along = outline.roll(-1, 0) - outline.roll(1, 0)
        along = along / along.norm(dim=1, keepdim=True)
        axes = torch.eye(2, dtype=torch.float64).repeat(LANDMARKS, 1, 1)
        axes[list(OVAL)] = torch.stack([along, torch.stack([-along[:, 1], along[:, 0]], 1)], 1)
        weights = visible[:, None].repeat(1, 2)
        weights[list(OVAL), 0] *= _SLIDE
        self.axes, self.weights = axes, (weights * _INDEPENDENT_LANDMARKS / weights.mean() / LANDMARKS).sqrt() / NOISE

    def residuals(self, values: Tensor) -> Tensor:
        """(B, 936 + n), all that should be zero, in sigmas."""
        off = torch.einsum("lij,blj->bli", self.axes, self.places(values) - self.goal) * self.weights
        return torch.cat([off.flatten(1), (values - self.unknowns.mean) / self.unknowns.sigma], 1)

    def cost(self, values: Tensor) -> float:
        """Half the sum of squares."""
        return float(self.residuals(values[None]).square().sum() / 2)

    def normal_equations(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """JᵀJ and -Jᵀr, J by differences."""
        still = self.residuals(values[None])
        slopes = (self.residuals(values + _STEP * torch.eye(len(values), dtype=values.dtype)) - still) / _STEP
        return slopes @ slopes.T, -slopes @ still[0]

    def result(self, values: Tensor, face: Face, head: HeadModel, source: str) -> PhotoFit:
        """The fit in the project's own terms."""
        parts = {name: value.numpy() for name, value in self.unknowns.split(values).items()}
        places = self.places(values[None])[0]
        off = (places - self.goal).numpy()
        residual = float(np.sqrt((off**2).sum(1).mean()))
        told = {"made_by": "erlnet fit", "photo": source, "residual": round(residual, 5)}
        track = FaceTrack(
            parts["expr"][None], FPS, head.id, jaw_pose=parts["jaw"][None], rotation=parts["turn"][None],
            eyelids=parts["lids"][None] if parts["lids"].size else np.zeros(0), shape=parts["shape"],
            source=json.dumps(told),
        )  # fmt: skip
        pixels = places.numpy() * face.interocular * [1, -1]
        return PhotoFit(track, residual, pixels, face.note)


def _normals(head: HeadModel, triangles: np.ndarray) -> Tensor:
    """(L, 3) where the template's skin faces at points in these triangles (L,)."""
    normals = vertex_normals(head.v_template.astype(np.float64), head.faces)[head.faces[triangles]].mean(1)
    return torch.as_tensor(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def _axis_angle(rotation: np.ndarray) -> np.ndarray:
    """(3,) of a rotation matrix of less than half a turn."""
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    sine = np.linalg.norm(axis) / 2
    angle = np.arctan2(sine, (np.trace(rotation) - 1) / 2)
    return axis / 2 * (angle / sine if sine > 1e-9 else 1.0)
