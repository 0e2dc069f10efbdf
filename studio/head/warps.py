"""Identity as smooth warps of space (cm), one standard deviation of adult variation each.

A warp moves whatever lies in it, so that lips stay closed, teeth behind them and ears on the head. Sizes follow the
spread of adult head and face breadths and heights, 3 to 8 mm for the large ones. Each function takes points whose x
was made positive (the left half) and the landmarks' places there; the right half mirrors it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .surface import bump, smoothstep

Warp = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _near(p: np.ndarray, centre: np.ndarray, size: tuple[float, float, float]) -> np.ndarray:
    return np.exp(-(((p - centre) / np.array(size)) ** 2).sum(1))


def _vector(x: np.ndarray | float, y: np.ndarray | float, z: np.ndarray | float) -> np.ndarray:
    return np.stack(np.broadcast_arrays(x, y, z), 1).astype(float)


def _sideways(p: np.ndarray, half_width: float) -> np.ndarray:
    """0 on the midline, 1 at the half width, level there: sides move apart and features hardly."""
    u = p[:, 0] / half_width
    return np.tanh(u * np.abs(u)) / np.tanh(1.0)


def _above_neck(p: np.ndarray) -> np.ndarray:
    return smoothstep(-12.5, -3.0, p[:, 1] + 0.3 * (p[:, 2] + 4))


def _front(p: np.ndarray, start: float = -7.0, end: float = -1.0) -> np.ndarray:
    return smoothstep(start, end, p[:, 2])


def head_width(p, at):
    return _vector(0.32 * _sideways(p, 7.3) * _above_neck(p), 0, 0)


def head_length(p, at):
    return _vector(0, 0, -0.72 * smoothstep(1.0, -13.0, p[:, 2]) * smoothstep(-10.0, 0.0, p[:, 1]))


def face_width(p, at):
    return _vector(0.30 * _sideways(p, 6.6) * bump(p[:, 1] + 0.6, 4.6) * _front(p), 0, 0)


def face_length(p, at):
    down = smoothstep(3.4, -8.6, p[:, 1]) * smoothstep(-17.0, -8.6, p[:, 1])
    return _vector(0, -0.55 * down * _front(p, -7.5, 0.0), 0)


def jaw_width(p, at):
    return _vector(0.36 * _sideways(p, 5.6) * bump(p[:, 1] + 5.2, 3.1) * _front(p, -7.5, -0.5), 0, 0)


def chin_forward(p, at):
    chin = at[152] * [0, 1, 1]
    return _vector(0, 0, 0.42 * _near(p, chin + [0, 0.6, 0], (3.2, 2.6, 5.5)))


def chin_height(p, at):
    down = smoothstep(at[17, 1], at[175, 1], p[:, 1]) * smoothstep(-15.0, -8.9, p[:, 1])
    return _vector(0, -0.36 * down * bump(p[:, 0], 5.5) * _front(p, -5.0, 1.5), 0)


def nose_length(p, at):
    tip = _near(p, at[1] + [0, 0.1, -1.2], (1.7, 1.5, 2.0))
    return _vector(0, -0.27 * tip, 0.10 * tip)


def nose_width(p, at):
    wing = _near(p, at[64] * [0, 1, 1] + [0, 0.25, 0.2], (2.4, 1.15, 1.6))
    return _vector(0.17 * np.tanh(p[:, 0] / 1.2) * wing, 0, 0)


def nose_bridge(p, at):
    ridge = bump(p[:, 0], 1.15) * bump(p[:, 1] - at[197, 1] - 0.2, 1.9) * smoothstep(3.4, 5.4, p[:, 2])
    return _vector(-0.06 * np.tanh(p[:, 0]) * ridge, 0, 0.22 * ridge)


def nose_tip_up(p, at):
    tip = _near(p, at[1] + [0, 0.1, 0], (1.5, 1.4, 1.8))
    return _vector(0, 0.24 * tip, 0.06 * tip)


def brow_ridge(p, at):
    along = 0.5 * (at[8, 1] + at[105, 1]) - 0.3
    ridge = bump(p[:, 1] - along, 0.95) * bump(p[:, 0] - 1.6, 3.0) * smoothstep(2.0, 4.2, p[:, 2])
    return _vector(0, -0.10 * ridge, 0.20 * ridge)


def cheekbones(p, at):
    bone = _near(p, at[50] + [0.55, 0.75, -1.2], (1.9, 1.25, 2.4))
    return _vector(0.26 * bone, 0.05 * bone, 0.16 * bone)


def cheek_fullness(p, at):
    cheek = _near(p, at[207] + [0.2, -0.2, -0.6], (2.2, 2.2, 2.6))
    return _vector(0.26 * cheek * np.tanh(p[:, 0] / 2), -0.04 * cheek, 0.17 * cheek)


def lip_fullness(p, at):
    above = p[:, 1] - np.interp(p[:, 0], [0, at[291, 0]], [at[13, 1], at[291, 1]])
    lips = bump(p[:, 0], 2.3) * smoothstep(at[13, 2] - 1.6, at[13, 2] - 0.4, p[:, 2])
    rise = 0.25 * above * bump(above, 0.95)
    bulge = (above / 0.42) ** 2
    forward = 0.10 * bulge * np.exp(1 - bulge)
    return _vector(0, rise * lips, forward * lips)


def mouth_width(p, at):
    beside = bump(p[:, 1] - at[291, 1], 1.7) * smoothstep(1.0, 3.2, p[:, 2]) * bump(p[:, 0] - 2.4, 2.4)
    side = np.tanh(p[:, 0] / 1.6)
    return _vector(0.21 * side * beside, 0, -0.05 * side * beside)


def neck_width(p, at):
    down = smoothstep(-5.0, -9.5, p[:, 1] + 0.25 * (p[:, 2] + 4)) * smoothstep(-21.0, -14.5, p[:, 1])
    wide = np.minimum(1.0, 6.0 / np.maximum(np.hypot(p[:, 0], p[:, 2] + 6.6), 6.0))
    return _vector(0.055 * p[:, 0] * down * wide, 0, 0.055 * (p[:, 2] + 6.6) * down * wide)


def brow_height(p, at):
    brow = bump(p[:, 1] - at[105, 1] + 0.3, 1.0) * bump(p[:, 0] - 3.0, 3.2) * smoothstep(1.5, 3.5, p[:, 2])
    return _vector(0, 0.16 * brow, 0)


def larynx(p, at):
    bump_here = _near(p, np.array([0, -10.8, -1.0]), (1.3, 1.5, 2.2))
    return _vector(0, 0, 0.22 * bump_here)


def whole_head(p, at):
    return 0.013 * (p - [0, 0, -4.5]) * _above_neck(p)[:, None]


def sex(p, at):
    """+ is male: heavier brow, jaw, chin, neck and nose, thinner lips, lower brows, a larger head."""
    shares = (
        (brow_ridge, 0.85), (jaw_width, 0.60), (chin_forward, 0.35), (chin_height, 0.40), (face_length, 0.30),
        (neck_width, 0.90), (nose_length, 0.40), (nose_width, 0.45), (nose_bridge, 0.50), (lip_fullness, -0.45),
        (brow_height, -0.85), (cheek_fullness, -0.35), (larynx, 1.0), (whole_head, 1.0),
    )  # fmt: skip
    return np.sum([share * warp(p, at) for warp, share in shares], axis=0)


def age(p, at):
    """Sagging cheeks and jowls, thinner lips, a longer nose and upper lip, sunken temples, heavier brows."""
    jowl = _near(p, at[365] * [0.8, 1, 1] + [0, 0.3, 1.2], (1.5, 1.5, 2.2))
    cheek = _near(p, at[425] + [0.4, -1.0, -0.4], (2.0, 2.4, 2.2))
    temple = _near(p, at[301] + [0, -1.0, -1.0], (1.6, 2.2, 2.0))
    hollow = _near(p, at[411] + [0.2, 0, -0.6], (1.3, 1.3, 1.8))
    throat = _near(p, np.array([0, -9.4, 0.6]), (1.6, 1.6, 2.4))
    sag = _vector(0.10 * jowl - 0.10 * hollow - 0.10 * temple, -0.26 * jowl - 0.16 * cheek - 0.16 * throat,
                  0.06 * jowl + 0.03 * cheek - 0.08 * hollow - 0.04 * temple + 0.10 * throat)  # fmt: skip
    shares = ((lip_fullness, -0.5), (nose_length, 0.40), (nose_width, 0.25), (brow_height, -0.45), (mouth_width, 0.1))
    return sag + np.sum([share * warp(p, at) for warp, share in shares], axis=0)


# Of the whole head, by name; eyes and ears have their own in `identity`.
WARPS: dict[str, Warp] = {
    warp.__name__: warp
    for warp in (
        head_width, head_length, face_width, face_length, jaw_width, chin_forward, chin_height, nose_length, nose_width,
        nose_bridge, nose_tip_up, brow_ridge, cheekbones, cheek_fullness, lip_fullness, mouth_width, neck_width, age,
        sex,
    )
}  # fmt: skip
