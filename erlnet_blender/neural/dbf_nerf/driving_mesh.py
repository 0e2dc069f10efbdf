"""The posed head as the renderer needs it: what each vertex is, and where each frame puts it.

Two frames of reference besides the rig's own: "head space" follows the neck joint rigidly, and "canonical
space" is the head at rest with the jaw open, where every place of the surface has room of its own. Eyeballs
and the inside of the mouth are moved, enlarged, into the empty skull, so that they share no grid cell with
lids and lips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import ErlnetError
from ...face_track import FaceTrack
from ...formats.head_model import HeadModel
from ..flame.lbs import FlameTensors, forward, pose_of, rotation_matrices

CANONICAL_JAW_RAD = float(np.radians(8.0))  # closed lips would coincide
SKIN, MOUTH, EYES = 0, 1, 2  # parts
_ENLARGED = {MOUTH: 1.25, EYES: 2.0}
MOUTH_REGIONS = ("teeth", "gums", "tongue", "mouth_bag")
DROPPED_REGIONS = ("brows", "lashes")
_MOVED_M = 1e-3  # displacement at which the expression code counts half

# Columns of the per-frame vertex table.
POSED, LOCAL, NORMAL, UNWARP, MOVED = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 18), slice(18, 19)
# Columns of the constant vertex table.
CANONICAL, HEAD_WEIGHT, OUTWARD, INWARD = slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 6)


def mask(head: HeadModel, *names: str) -> np.ndarray:
    """(V,) which vertices belong to any of the regions; regions that the head lacks are empty."""
    found = np.zeros(len(head.v_template), bool)
    for name in names:
        if name in head.regions:
            found |= np.asarray(head.regions[name], np.float32) > 0.5
    return found


@dataclass(frozen=True)
class FrameGeometry:
    """One frame of the driving mesh, without the root's motion.

    Args:
        table: (V, 19) posed position, position in head space, posed normal, 3x3 canonical_from_head linear
            map, how much the expression moves the place (0 to 1).
        neck: (3, 4) rig_from_head rigid map; neck_pose: (3,) its rotation vector.
        coefficients: (K,) expressions, jaw, eyes, eyelids.
        root: (4, 4) rig_from_root: what the camera must undo.
    """

    table: Tensor
    neck: Tensor
    neck_pose: Tensor
    coefficients: Tensor
    root: Tensor


class DrivingMesh:
    """The constant side of the driving mesh.

    Args:
        head: the head model.
        band: (V, 2) how far the picture reaches outwards and inwards of each head vertex, metres.
        device: where the tensors live.

    Attributes:
        faces: (F, 3) triangles over the driving vertices; part: (F,) SKIN, MOUTH or EYES; constant: (V, 6).
    """

    def __init__(self, head: HeadModel, band: np.ndarray, device: str | torch.device = "cpu") -> None:
        self.head, self.device = head, torch.device(device)
        self.flame = FlameTensors.from_head(head, device=str(device))
        face_part, faces = _parts(head)
        # A vertex that two parts share (where the mouth's bag joins the lips) becomes two.
        keys = faces.astype(np.int64) + face_part[:, None] * len(head.v_template)
        unique, renumbered = np.unique(keys, return_inverse=True)
        source = unique % len(head.v_template)
        vertex_part = unique // len(head.v_template)
        self.source = torch.as_tensor(source, device=self.device)
        self.faces = torch.as_tensor(renumbered.reshape(-1, 3), device=self.device)
        self.part = torch.as_tensor(face_part, device=self.device)
        self.outer_faces = self.faces[self.part == SKIN]
        self._outer_ids = torch.nonzero(self.part == SKIN)[:, 0]
        self.vertex_part = torch.as_tensor(vertex_part, device=self.device)
        weights = self.flame.weights[self.source]
        self.weights = weights
        self._rest_map = _local_maps(weights, self._joint_rotations(torch.zeros(3), torch.zeros(6)))
        canonical, self.canonical_map, self.head_box = self._canonical(vertex_part)
        limits = torch.as_tensor(np.asarray(band, np.float32)[source], device=self.device)
        self.constant = torch.cat([canonical, 1 - weights[:, :1], limits], 1)
        self.static_box = _cube(self.flame.v_template[self.source][(vertex_part == SKIN)].cpu().numpy(), 0.02)

    @property
    def coefficient_count(self) -> int:
        """Length of a frame's coefficients."""
        return self.head.expressiondirs.shape[-1] + 3 + 6 + 2

    def outer_face(self, index: Tensor) -> Tensor:
        """Outer triangle numbers, -1 for none, as numbers into `faces`."""
        return torch.where(index >= 0, self._outer_ids[index.clamp_min(0)], index)

    def _joint_rotations(self, jaw: Tensor, eyes: Tensor) -> Tensor:
        """(5, 3, 3) rotations relative to the neck."""
        zero = torch.zeros(2, 3)
        return rotation_matrices(torch.cat([zero, jaw[None].cpu(), eyes.reshape(2, 3).cpu()])).to(self.device)

    def _canonical(self, vertex_part: np.ndarray) -> tuple[Tensor, Tensor, tuple[np.ndarray, float]]:
        pose = torch.zeros(1, 5, 3, device=self.device)
        pose[0, 2, 0] = CANONICAL_JAW_RAD
        zero = torch.zeros(1, self.flame.expressiondirs.shape[-1], device=self.device)
        place = forward(self.flame, zero, pose).vertices[0][self.source]
        linear = _local_maps(self.weights, self._joint_rotations(pose[0, 2], torch.zeros(6)))
        skull = place[torch.as_tensor(vertex_part == SKIN) & (self.weights[:, 0] < 0.02).cpu()]
        middle = (skull.amin(0) + skull.amax(0)) / 2
        for part, scale in _ENLARGED.items():
            chosen = torch.as_tensor(vertex_part == part, device=self.device)
            groups = [chosen] if part == MOUTH else [chosen & (place[:, 0] > 0), chosen & (place[:, 0] <= 0)]
            for number, group in enumerate(groups):
                if not bool(group.any()):
                    continue
                side = 0.0 if part == MOUTH else 0.035 * (1 - 2 * number)
                target = middle + middle.new_tensor([side, -0.02 if part == MOUTH else 0.055, -0.015])
                centre = (place[group].amin(0) + place[group].amax(0)) / 2
                place[group] = (place[group] - centre) * scale + target
                linear[group] = linear[group] * scale
        in_head = (self.weights[:, 0] < 0.25).cpu().numpy()
        return place, linear, _cube(place.cpu().numpy()[in_head], 0.025)

    def frame(self, track: FaceTrack) -> FrameGeometry:
        """Pose the first frame of a track; expressions that the track leaves out are zero.

        Raises:
            ErlnetError: the track has more expressions than the head.
        """
        tensor = {"dtype": torch.float32, "device": self.device}
        pose = torch.as_tensor(pose_of(track[0]), **tensor)
        given, known = track.expr.shape[1], self.head.expressiondirs.shape[-1]
        if given > known:
            raise ErlnetError(f"The track has {given} expressions, the head {known}", self.head.id, "refit the track")
        expr = torch.nn.functional.pad(torch.as_tensor(track.expr[:1], **tensor), (0, known - given))
        lids = torch.as_tensor(track.eyelids[:1], **tensor)
        shape = torch.as_tensor(track.shape, **tensor) if track.shape.size else None
        translation = torch.as_tensor(track.translation[:1], **tensor)
        still = pose.clone()
        still[:, 0] = 0
        posed = forward(self.flame, expr, still, shape=shape, eyelids=lids)
        root = _rigid(posed.joints[0, 0], rotation_matrices(pose[0, 0]), translation[0])
        neck = posed.transforms[0, 1, :3]
        local, linear = self._local(posed.shaped[0][self.source], posed.transforms[0], pose[0])
        place = posed.vertices[0][self.source]
        squared = ((local - self.flame.v_template[self.source]) ** 2).sum(1)
        moved = torch.where(self.vertex_part == SKIN, squared / (squared + _MOVED_M**2), torch.ones_like(squared))
        unwarp = (self.canonical_map @ torch.linalg.inv(linear)).reshape(-1, 9)
        table = torch.cat([place, local, vertex_normals(place, self.faces), unwarp, moved[:, None]], 1)
        coefficients = torch.cat([expr[0], pose[0, 2], pose[0, 3], pose[0, 4], lids[0]])
        return FrameGeometry(table, neck, pose[0, 1], coefficients, root)

    def _local(self, shaped: Tensor, transforms: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices in head space, where the neck does not turn, and the linear part of that skinning."""
        head_from_rig = torch.linalg.inv(transforms[1])
        relative = head_from_rig @ transforms
        relative[:2] = torch.eye(4, device=self.device)
        blended = torch.einsum("vj,jkl->vkl", self.weights, relative[:, :3])
        local = torch.einsum("vkl,vl->vk", blended[..., :3], shaped) + blended[..., 3]
        return local, blended[..., :3]


def _parts(head: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """Part (F,) and vertices (F, 3) of the triangles that drive the picture."""
    faces = np.asarray(head.faces, np.int64)
    dropped = mask(head, *DROPPED_REGIONS)
    faces = faces[~dropped[faces].any(1)]
    inside = mask(head, *MOUTH_REGIONS) & ~mask(head, "lips")
    part = np.where(inside[faces].any(1), MOUTH, np.where(mask(head, "eyeballs")[faces].all(1), EYES, SKIN))
    return part, faces


def _local_maps(weights: Tensor, rotations: Tensor) -> Tensor:
    """(V, 3, 3) blended rotations."""
    return torch.einsum("vj,jkl->vkl", weights, rotations)


def _rigid(joint: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """(4, 4) turn about a joint, then move."""
    matrix = torch.eye(4, device=joint.device)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = joint - rotation @ joint + translation
    return matrix


def _cube(points: np.ndarray, margin: float) -> tuple[np.ndarray, float]:
    """Lower corner and side of a cube round points."""
    low, high = points.min(0), points.max(0)
    side = float((high - low).max()) + 2 * margin
    return ((low + high) / 2 - side / 2).astype(np.float32), side


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(V, 3) unit normals, the mean of the triangles' weighted by area."""
    corners = vertices[faces]
    normal = torch.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=1)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total.index_add_(0, faces[:, corner], normal)
    return torch.nn.functional.normalize(total, dim=1)
