"""Where skin is red, thin, oily, bearded or lined: masks from a head's regions and landmarks (numpy only).

Any head with landmarks gets them; what a head lacks is zero, which is plain skin.
"""

from __future__ import annotations

import numpy as np

from ..formats.head_model import HeadModel

# Masks of the head file, as they are.
REGIONS = ("lips", "lid_rim", "scalp", "mouth_bag", "nostrils", "brow_shadow")
# Three masks to a vector attribute: EEVEE reads few attributes a material.
PACKS = {
    "erlnet_tone": ("flush", "under_eye", "lids"),
    "erlnet_growth": ("beard", "scalp", "brow_shadow"),
    "erlnet_moist": ("oil", "lips", "lid_rim"),
    "erlnet_inside": ("mouth_bag", "nostrils", "ears"),
    "erlnet_age": ("creases", "wrinkles", "spare"),
}
_USUAL_PUPILS_M = 0.064
_PUPILS = 468, 473
_CORNERS = (33, 133), (362, 263)

# Soft spots: landmarks (of MediaPipe's mesh, both sides), radius in cm, weight. Height counts by the factor at the end.
_Spots = tuple[tuple[tuple[int, ...], float, float], ...]
_FLUSH: _Spots = (
    ((4, 1), 1.1, 0.45), ((129, 358), 0.7, 0.5), ((50, 280), 1.7, 0.45), ((117, 346), 1.2, 0.28),
    ((205, 425), 1.4, 0.2), ((199,), 1.0, 0.3), ((9,), 0.9, 0.12),
)  # fmt: skip
_UNDER_EYE: _Spots = (((230, 450, 231, 451, 229, 449), 0.55, 0.38), ((243, 463), 0.45, 0.6))
_LIDS: _Spots = (((27, 257, 28, 258, 29, 259, 56, 286), 0.6, 0.42),)
_BEARD: _Spots = (
    ((152, 148, 377, 176, 400, 149, 378, 150, 379, 136, 365, 172, 397), 1.2, 0.42), ((58, 288, 132, 361), 1.0, 0.5),
    ((199, 175, 208, 428, 171, 396), 1.0, 0.26), ((18, 201, 421), 0.5, 0.4),
    ((214, 434, 210, 430, 135, 364), 1.0, 0.32), ((169, 394, 138, 367, 192, 416), 1.1, 0.3),
    ((164, 167, 393, 165, 391, 92, 322), 0.48, 0.55),
)  # fmt: skip
_OIL: _Spots = (
    ((151, 9, 108, 337), 1.5, 0.4), ((6, 197, 195, 5, 4), 0.8, 0.5), ((199,), 0.9, 0.5), ((117, 346), 1.0, 0.4),
)  # fmt: skip
_WRINKLES: _Spots = (((151, 108, 337, 69, 299), 1.9, 0.5), ((130, 359, 226, 446, 143, 372), 0.8, 0.45))
# From the wing of the nose past the corner of the mouth, and below the lower lid.
_CREASES = (
    (129, 203, 206, 216), (358, 423, 426, 436), (233, 232, 231, 230, 229, 228), (453, 452, 451, 450, 449, 448),
)  # fmt: skip
_CREASE_CM = 0.20


def masks(head: HeadModel) -> dict[str, np.ndarray]:
    """Every mask of PACKS, (V,) float32 in 0..1."""
    count = len(head.v_template)
    found = {name: np.zeros(count, np.float32) for names in PACKS.values() for name in names}
    for name in (*REGIONS, "ears"):
        if name in head.regions:
            found[name] = np.clip(head.regions[name].astype(np.float32), 0, 1)
    marks = landmark_points(head)
    if marks is None:
        return found
    scale = 100 * _USUAL_PUPILS_M / _pupil_distance(marks)
    points, marks = head.v_template * scale, marks * scale
    bare = (1 - found["lips"]) * (1 - found["mouth_bag"]) * (1 - found["lid_rim"])
    found["flush"] = np.clip(_spots(points, marks, _FLUSH) + 0.5 * found["ears"], 0, 1) * bare
    found["under_eye"] = np.clip(_spots(points, marks, _UNDER_EYE, 1.4), 0, 1) * bare
    found["lids"] = np.clip(_spots(points, marks, _LIDS, 1.3), 0, 1) * bare
    grown = np.clip((_spots(points, marks, _BEARD) - 0.30) / 0.5, 0, 1)
    found["beard"] = grown * grown * (3 - 2 * grown) * bare * (1 - found["nostrils"]) * (1 - found["ears"])
    found["oil"] = np.clip(_spots(points, marks, _OIL), 0, 1) * bare
    found["wrinkles"] = np.clip(_spots(points, marks, _WRINKLES), 0, 1) * bare
    found["creases"] = _near_lines(points, marks, _CREASES) * bare
    return found


def landmark_points(head: HeadModel) -> np.ndarray | None:
    """(478, 3) MediaPipe's landmarks at rest, metres; None if the head lacks any of them."""
    if head.landmark_faces is None or head.landmark_bary is None or (head.landmark_faces < 0).any():
        return None
    corners = head.v_template[head.faces[head.landmark_faces]]
    return (corners * head.landmark_bary[..., None]).sum(1)


def _pupil_distance(marks: np.ndarray) -> float:
    if len(marks) > max(_PUPILS):
        return float(np.linalg.norm(marks[_PUPILS[0]] - marks[_PUPILS[1]]))
    return float(np.linalg.norm(marks[list(_CORNERS[0])].mean(0) - marks[list(_CORNERS[1])].mean(0)))


def _spots(points: np.ndarray, marks: np.ndarray, spots: _Spots, height: float = 1.0) -> np.ndarray:
    total = np.zeros(len(points), np.float32)
    for landmarks, radius, weight in spots:
        for mark in marks[list(landmarks)]:
            squared = (((points - mark) * [1.0, height, 1.0]) ** 2).sum(1)
            total += weight * np.exp(-squared / radius**2).astype(np.float32)
    return total


def _near_lines(points: np.ndarray, marks: np.ndarray, lines: tuple[tuple[int, ...], ...]) -> np.ndarray:
    nearest = np.full(len(points), np.inf, np.float32)
    for line in lines:
        for a, b in zip(marks[list(line[:-1])], marks[list(line[1:])], strict=True):
            along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            squared = ((points - a - along[:, None] * (b - a)) ** 2).sum(1)
            nearest = np.minimum(nearest, squared)
    return np.exp(-nearest / _CREASE_CM**2)
