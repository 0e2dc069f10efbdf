"""Puts the parts together as one mesh in FLAME's format, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlnet_blender.formats.head_model import PARENTS, HeadModel

from . import landmarks
from .cage import Cage, build_cage
from .correctives import along_one_minus_cos, length_preserving
from .details import collar, ring_coordinate, with_details
from .ears import placed_ears, sunk_under_ears
from .expressions import (
    NAMES,
    OPENERS,
    SEAL_DEG,
    TONGUE_ONLY,
    cage_expressions,
    creased,
    halves,
    teeth_offset,
    tongue_offsets,
)
from .eyelids import LEFT, RIGHT, lid_motion
from .face import neutral_face
from .identity import MODES, cage_modes, ear_growth, warped
from .identity import NAMES as SHAPE_NAMES
from .labiodental import tuck_lip
from .masks import skin_regions
from .mouth import Part, eyeball, teeth, tongue
from .regressor import joint_regressor, landmark_places
from .seals import hold_seal, lip_paths, seal_lips, shut_lids
from .skinning import JAW_JOINT, NECK_JOINT, jaw_weight, neck_weight
from .strands import Strands, brows, lashes
from .subdivision import Subdivision, fitted_control, subdivide
from .surface import Membrane, closest_on_triangles, vertex_normals
from .unwrap import unwrap

METRES = 0.01
NEGLIGIBLE = 0.002  # cm; smaller offsets become exact zeros, which compress and keep joints still
ORDER = ("skin", "ears", "eye_left", "eye_right", "teeth_upper", "gum_upper", "teeth_lower", "gum_lower", "tongue",
         "collar", "brows", "lashes")  # fmt: skip
ROOT, NECK, JAW, LEFT_EYE, RIGHT_EYE = range(5)


@dataclass(frozen=True)
class Bases:
    """Offsets of the whole head (cm): expressions and identity by component, the two eyelids; (V, 3) each.

    bending: (V', 3) of the skin, by 1 - cos of the jaw's angle.
    """

    expressions: list[np.ndarray]
    identity: list[np.ndarray]
    eyelids: list[np.ndarray]
    bending: np.ndarray


class Head:
    """The neutral head in its parts, and how each part follows the skin."""

    def __init__(self) -> None:
        self.mean = landmarks.load()
        neutral = neutral_face(self.mean)
        self.cage: Cage = build_cage(self.mean, neutral)
        self.membrane = Membrane(self.cage.faces, len(self.cage.points))
        fine = (self.cage.faces < landmarks.LANDMARKS).any(1)
        fine |= np.isin(self.cage.faces, [v for ring in self.cage.bag[:3] for v in ring]).any(1)
        self.subdivision: Subdivision = subdivide(self.cage.faces, len(self.cage.points), fine)
        self.cage_jaw = jaw_weight(self.cage, self.membrane)
        self.jaw = self.subdivision.matrix @ self.cage_jaw
        skin = with_details(self.lift(self.cage.points, skull=0.9), self.cage, self.subdivision)
        self.skin = skin + seal_lips(skin, np.zeros_like(skin), self.cage, self.subdivision, self.jaw, 0.0)
        self.ears = placed_ears(self.skin, vertex_normals(self.skin, self.subdivision.faces))
        self.skin = sunk_under_ears(self.skin)
        self.tongue_back = np.zeros(0)
        self.brows, self.lashes = (make(self.skin, self.cage, self.subdivision) for make in (brows, lashes))
        self.parts = self._parts()
        ends = np.cumsum([len(self.parts[name].points) for name in ORDER])
        self.pieces = {
            name: slice(int(e) - len(self.parts[name].points), int(e)) for name, e in zip(ORDER, ends, strict=True)
        }
        self.points = np.concatenate([self.parts[name].points for name in ORDER])
        self.faces = np.concatenate([self.parts[name].faces + self.pieces[name].start for name in ORDER])

    def lift(self, values: np.ndarray, skull: float = 1.0) -> np.ndarray:
        """(V', 3) fine surface through cage values, fitted more loosely (`skull`) away from the face."""
        gain = np.full(len(self.cage.points), skull)
        gain[: landmarks.LANDMARKS] = 1
        return self.subdivision.matrix @ fitted_control(self.subdivision.matrix, values, gain)

    def _parts(self) -> dict[str, Part]:
        stomion = self.cage.neutral.stomion
        front, bite = self.bite = (stomion[2] - 0.94, stomion[1] - 0.16)
        tongue_part, self.tongue_back = tongue(front - 1.0, bite - 0.66)
        upper, lower = teeth(front, bite, True), teeth(front - 0.33, bite - 0.13, False)
        return {
            "skin": Part(self.skin, self.subdivision.faces),
            "ears": Part(self.ears.points, self.ears.faces),
            "eye_left": eyeball(self.cage.neutral.eye_centres[LEFT]),
            "eye_right": eyeball(self.cage.neutral.eye_centres[RIGHT]),
            "teeth_upper": upper[0], "gum_upper": upper[1], "teeth_lower": lower[0], "gum_lower": lower[1],
            "tongue": tongue_part,
            "collar": Part(*collar(self.skin, self.cage, self.subdivision)),
            "brows": Part(self.brows.points, self.brows.faces),
            "lashes": Part(self.lashes.points, self.lashes.faces),
        }  # fmt: skip

    def whole(self, skin: np.ndarray, parts: dict[str, np.ndarray]) -> np.ndarray:
        """(V, 3) offsets of the whole head from those of the skin; strands follow, other parts as given or not."""
        offsets = np.zeros_like(self.points)
        offsets[self.pieces["skin"]] = skin
        strands: dict[str, Strands] = {"brows": self.brows, "lashes": self.lashes}
        for name, strand in strands.items():
            offsets[self.pieces[name]] = strand.follow(self.skin, skin)
        for name, values in parts.items():
            offsets[self.pieces[name]] = values
        offsets[np.abs(offsets).max(1) < NEGLIGIBLE] = 0
        return offsets

    def bases(self) -> Bases:
        """All components of the model."""
        sculpted = cage_expressions(self.cage, self.membrane, self.cage_jaw)
        tongues = tongue_offsets(self.parts["tongue"].points, self.tongue_back)
        made = {name: self.whole(np.zeros_like(self.skin), {"tongue": tongues[name]}) for name in TONGUE_ONLY}
        normals = vertex_normals(self.skin, self.subdivision.faces)
        bending = np.zeros_like(self.skin)
        for name, mode in sculpted.items():
            skin = creased(name, self.lift(mode), self.skin, normals, self.cage)
            if name not in OPENERS:
                degrees = SEAL_DEG if name == "mouth_close" else 0.0
                skin = seal_lips(self.skin, skin, self.cage, self.subdivision, self.jaw, degrees)
            if name == "f_tuck":
                skin = tuck_lip(self.skin, skin, self.cage, self.subdivision, self.jaw, self.bite)
            if name == "mouth_close":
                kept = -self.jaw_correctives().reshape(3, 3, -1, 3)[[1, 2], [1, 2]].sum(0)
                skin, bending = hold_seal(self.skin, skin, kept, self.cage, self.subdivision, self.jaw)
            moved = {part: teeth_offset(name) for part in ("teeth_lower", "gum_lower", "tongue")}
            made |= {half: self.whole(offsets, moved) for half, offsets in halves(name, skin, self.skin).items()}
        expressions = [made[name] for name in NAMES]
        eyelids = []
        for side in (LEFT, RIGHT):
            shut = self.lift(lid_motion(self.cage, self.membrane, side, 1.0, 1.0))
            eyelids.append(self.whole(shut_lids(self.skin, shut, self.cage, self.subdivision, side), {}))
        identity = [self._warped(name) for name in SHAPE_NAMES]
        identity += [self._mode(mode) for mode in cage_modes(self.mean, self.cage, self.membrane)]
        return Bases(expressions, identity, eyelids, bending)

    def _warped(self, name: str) -> np.ndarray:
        """(V, 3) offsets of one named component of identity."""
        at, eyes = self.cage.points[: landmarks.LANDMARKS], self.cage.neutral.eye_centres

        def warp(points: np.ndarray) -> np.ndarray:
            return warped(name, points, at, eyes)

        warps = ("teeth_upper", "gum_upper", "teeth_lower", "gum_lower", "tongue", "ears", "collar")
        moved = {part: warp(self.parts[part].points) for part in warps}
        for part, eye in zip(("eye_left", "eye_right"), eyes, strict=True):
            moved[part] = np.repeat(warp(eye[None]), len(self.parts[part].points), 0)
            if name == "eye_size":
                moved[part] = warp(self.parts[part].points)
        moved["ears"] = moved["ears"] + ear_growth(name) * self._ear_arms()
        return self.whole(self._lips_kept(warp(self.skin)), moved)

    def _lips_kept(self, skin: np.ndarray) -> np.ndarray:
        """Offsets (V', 3) of the skin for which both lips move as one where they touch."""
        upper, lower = lip_paths(self.subdivision)
        skin[upper] = skin[lower] = 0.5 * (skin[upper] + skin[lower])
        return skin

    def _ear_arms(self) -> np.ndarray:
        """(N, 3) how an ear grows: away from where it is attached."""
        ears = self.parts["ears"].points
        front = np.array([np.abs(ears[:, 0]).min() + 0.4, 0.4, ears[:, 2].max() - 0.4])
        arms = ears - front * np.stack([np.sign(ears[:, 0]), *np.ones((2, len(ears)))], 1)
        return arms * [0.6, 1.0, 1.0] * self.ears.free[:, None]

    def _mode(self, mode: np.ndarray) -> np.ndarray:
        """(V, 3) offsets of one mode of the crops, given on the cage."""
        skin = seal_lips(self.skin, self.lift(mode), self.cage, self.subdivision, self.jaw, 0.0)
        skin = self._lips_kept(skin)
        eyes = [mode[[v for v in rims[0]]].mean(0) for rims in self.cage.eye_rims]
        mouth = mode[list(self.cage.bag[0])].mean(0)
        moved = {name: mouth for name in ("teeth_upper", "gum_upper", "teeth_lower", "gum_lower", "tongue")}
        moved |= {"eye_left": eyes[0], "eye_right": eyes[1]}
        ears = self.parts["ears"].points
        half = len(ears) // 2
        for_ears = []
        for ear in (ears[:half], ears[half:]):
            triangle, weights = closest_on_triangles(ear.mean(0)[None], self.skin, self.subdivision.faces)
            corner = self.subdivision.faces[triangle[0]]
            for_ears.append(np.repeat((skin[corner] * weights[0][:, None]).sum(0)[None], half, 0))
        return self.whole(skin, moved | {"ears": np.concatenate(for_ears)})

    def weights(self) -> np.ndarray:
        """(V, 5) linear-blend weights."""
        weights = np.zeros((len(self.points), 5))
        weights[:, NECK] = 1
        for name in ("skin", "collar"):
            neck = neck_weight(self.points[self.pieces[name]])
            jaw = np.clip(self.jaw, 0, 1) if name == "skin" else np.zeros(len(neck))
            weights[self.pieces[name], ROOT] = 1 - neck
            weights[self.pieces[name], NECK] = neck * (1 - jaw)
            weights[self.pieces[name], JAW] = neck * jaw
        rigid = {"eye_left": LEFT_EYE, "eye_right": RIGHT_EYE, "teeth_lower": JAW, "gum_lower": JAW}
        for name, joint in rigid.items():
            weights[self.pieces[name]] = np.eye(5)[joint]
        jaw = 1 - 0.4 * self.tongue_back**2
        weights[self.pieces["tongue"], JAW] = jaw
        weights[self.pieces["tongue"], NECK] = 1 - jaw
        return weights

    def regions(self) -> dict[str, np.ndarray]:
        """Masks (V,) of the whole head: bool for parts, float16 for gradual ones."""
        regions = skin_regions(
            self.skin, self.cage, self.subdivision, ring_coordinate(self.cage, self.subdivision), self.brows
        )
        regions = {name: np.pad(mask, (0, len(self.points) - len(mask))) for name, mask in regions.items()}
        groups = {"ears": ("ears",), "eyeballs": ("eye_left", "eye_right"), "teeth": ("teeth_upper", "teeth_lower"),
                  "gums": ("gum_upper", "gum_lower"), "tongue": ("tongue",), "torso": ("collar",), "brows": ("brows",),
                  "lashes": ("lashes",)}  # fmt: skip
        for region, names in groups.items():
            mask = regions.setdefault(region, np.zeros(len(self.points), bool))
            for name in names:
                mask[self.pieces[name]] = True
        regions["skin"][self.pieces["ears"]] = True
        return regions

    def jaw_correctives(self) -> np.ndarray:
        """(9, 3V) what keeps the throat and the corners of the mouth in shape when the jaw opens, for the skin."""
        inside = self.subdivision.matrix @ self.cage.indicator([v for ring in self.cage.bag[1:] for v in ring])
        share = np.clip(self.jaw, 0, 1) * (inside < 0.02)
        return length_preserving(self.skin, JAW_JOINT, share)

    def posedirs(self, bending: np.ndarray) -> np.ndarray:
        """(36, 3V) correctives of the turns of neck and jaw; `bending` (V', 3) is what keeps the lips sealed."""
        share = self.weights()[:, NECK:].sum(1)
        posedirs = np.zeros((36, 3 * len(self.points)))
        posedirs[9 * (NECK - 1) : 9 * NECK] = length_preserving(self.points, NECK_JOINT, share)
        jaw = self.jaw_correctives() + along_one_minus_cos(bending)
        jaw[np.abs(jaw) < NEGLIGIBLE] = 0
        posedirs[9 * (JAW - 1) : 9 * JAW, : jaw.shape[1]] = jaw
        return posedirs


def build_head() -> HeadModel:
    """The default head."""
    head = Head()
    bases = head.bases()
    uv, uv_faces = unwrap(head.points, head.faces, head.pieces)
    landmark_faces, landmark_bary = landmark_places(head.points, head.faces, head.pieces, head.cage.neutral.eye_centres)
    still = ~np.any([np.abs(b).max(1) > 0 for b in (*bases.expressions, *bases.eyelids)], axis=0)
    meta = {
        "id": "erlnet-default-2",
        "name": "ERLNet default head",
        "licence": "GPL-3.0-or-later",
        "made_by": "python -m studio.head",
        "provenance": "Own geometry, grown from the mean of 96 face crops of scikit-image's lfw_subset as MediaPipe "
        "FaceMesh (Apache-2.0 topology) reads them; nobody's face, no FLAME data.",
        "expression_names": list(NAMES),
        "shape_names": [*SHAPE_NAMES, *(f"crop mode {k + 1}" for k in range(MODES))],
        "eye_radius": 0.012,
        "parts": {name: [where.start, where.stop] for name, where in head.pieces.items()},
    }
    return HeadModel(
        v_template=head.points * METRES,
        faces=head.faces,
        shapedirs=np.stack(bases.identity, -1) * METRES,
        expressiondirs=np.stack(bases.expressions, -1) * METRES,
        posedirs=head.posedirs(bases.bending) * METRES,
        J_regressor=joint_regressor(head.points, head.pieces, still, head.cage.neutral.eye_centres),
        weights=head.weights(),
        parents=np.array(PARENTS),
        eyelids=np.stack(bases.eyelids) * METRES,
        uv=uv,
        uv_faces=uv_faces,
        landmark_faces=landmark_faces,
        landmark_bary=landmark_bary,
        regions=head.regions(),
        meta=meta,
    )
