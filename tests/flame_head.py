"""A head with FLAME's counts and layout that is nobody's FLAME: the default head's surface, seen through another mesh.

5,023 vertices and 9,976 triangles: a skin of 3,931 vertices with a boundary of 60 edges at the neck, a mouth
pocket and two eye pockets, then the left and the right eyeball of 546 vertices each. 300 shape and 100 expression
components: what the default head can do, mixed by a random rotation so that no component has a meaning (as
in FLAME), then smooth random fields that decay from a centimetre. Everything is seeded.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from erlnet_blender.formats.head_model import HeadModel, default_head_path

VERTICES, FACES, SKIN, EYEBALL, COLUMNS = 5023, 9976, 3931, 546, 60
SHAPES, EXPRESSIONS = 300, 100
BAND = 8  # rows of the mouth: the edge of the lower lip, six inside the pocket, the edge of the upper lip
# Rows of rays from below: height of the origin (m) and elevation (degrees).
_ROWS = ((-0.14, 0.0), (-0.11, -8.0), (-0.085, -20.0), (-0.065, -14.0), (-0.052, -3.0))
_INSIDE = ("teeth", "gums", "tongue", "brows", "lashes", "mouth_bag")


@lru_cache(1)
def flame_arrays() -> dict[str, np.ndarray]:
    """FLAME's own keys as its files hold them, float64; read-only. `J_regressor` is dense here."""
    default = HeadModel.load(default_head_path())
    template, origin, bary = _skin(default)
    joints = (default.J_regressor @ default.v_template).astype(np.float64)
    balls = default.v_template[default.regions["eyeballs"] > 0.5]
    radius = float(np.median(np.linalg.norm(balls * [[1, 1, 1]] - joints[3 + (balls[:, 0] < 0)], axis=1)))
    ball, ball_faces = _sphere(radius)
    vertices = np.concatenate([template, ball + joints[3], ball + joints[4]])
    faces = np.concatenate([_skin_faces(), ball_faces + SKIN, ball_faces + SKIN + EYEBALL])

    def carried(values: np.ndarray) -> np.ndarray:
        return (values.astype(np.float64)[origin] * bary.reshape(*bary.shape, *[1] * (values.ndim - 1))).sum(1)

    weights = np.zeros((VERTICES, 5))
    weights[:SKIN] = carried(default.weights)
    weights[SKIN : SKIN + EYEBALL, 3] = weights[SKIN + EYEBALL :, 4] = 1
    weights[:SKIN] /= weights[:SKIN].sum(1, keepdims=True)
    arrays = {
        "v_template": vertices,
        "f": faces.astype(np.uint32),
        "shapedirs": _bases(default, vertices, carried),
        "posedirs": _correctives(vertices, weights),
        "J_regressor": _regressor(vertices, joints),
        "J": joints,
        "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.uint32),
    }
    for value in arrays.values():
        value.flags.writeable = False
    return arrays


@lru_cache(1)
def flame_sized_head() -> HeadModel:
    """That head as a HeadModel without names, eyelids, regions, uv or landmarks. Shared: do not change it."""
    arrays = flame_arrays()
    return HeadModel(
        v_template=arrays["v_template"],
        faces=arrays["f"],
        shapedirs=arrays["shapedirs"][..., :SHAPES],
        expressiondirs=arrays["shapedirs"][..., SHAPES:],
        posedirs=arrays["posedirs"].reshape(-1, 36).T,
        J_regressor=arrays["J_regressor"],
        weights=arrays["weights"],
        parents=np.array([-1, 0, 1, 1, 1]),
        meta={"id": "flame-sized-test", "name": "FLAME-sized test head", "licence": "GPL-3.0-or-later"},
    )


@lru_cache(1)
def landmark_embedding() -> tuple[np.ndarray, np.ndarray]:
    """(478,) faces and (478, 3) barycentric places on the FLAME-sized head nearest to the default head's landmarks."""
    default, arrays = HeadModel.load(default_head_path()), flame_arrays()
    places = (default.v_template[default.faces[default.landmark_faces]] * default.landmark_bary[..., None]).sum(1)
    return _nearest_on(arrays["v_template"], arrays["f"][:7800].astype(int), places.astype(np.float64))


def _azimuths() -> np.ndarray:
    u = np.arange(COLUMNS) / COLUMNS
    return 2 * np.pi * u - 0.6 * np.sin(2 * np.pi * u)  # denser at the front


def _rays(default: HeadModel) -> tuple[np.ndarray, np.ndarray, int]:
    """Origins and directions (66, 60, 3) of the rows, the last of which is the pole's; the band's first row."""
    place = default.v_template[default.faces[default.landmark_faces]] * default.landmark_bary[..., None]
    place = place.sum(1)
    mouth, corner = (place[13, 1] + place[14, 1]) / 2, (place[61, 1] + place[291, 1]) / 2
    low = np.interp(np.linspace(0, 4, 17), range(5), [y for y, _ in _ROWS])
    tilt = np.interp(np.linspace(0, 4, 17), range(5), [e for _, e in _ROWS])
    above = np.concatenate([np.linspace(mouth + 0.004, -0.02, 7)[:-1], np.linspace(-0.02, 0.06, 19)])
    crown = 65 - len(low) - BAND - len(above)
    height = np.concatenate([low, np.full(BAND, mouth), above, np.full(crown + 1, 0.06)])
    turn = np.concatenate([np.zeros(BAND + len(above)), np.linspace(0, 90, crown + 2)[1:-1], [90.0]])
    elevation = np.radians(np.concatenate([tilt, turn]))
    azimuth = _azimuths()
    y = np.repeat(height[:, None], COLUMNS, 1)
    band = np.arange(len(low), len(low) + BAND)
    # Beside the mouth the band is a strip of half-millimetre rows; the closing line of the lips sags to its corners.
    line = mouth + (corner - mouth) * np.minimum(np.abs(np.sin(azimuth)) / 0.35, 1) ** 2
    y[band] = line + (np.arange(BAND) - (BAND - 1) / 2)[:, None] * 0.0005
    depth = np.interp(height, [-0.14, -0.05], [-0.06, -0.035])
    origins = np.stack([np.zeros_like(y), y, np.repeat(depth[:, None], COLUMNS, 1)], -1)
    flat = np.cos(elevation)[:, None]
    directions = np.stack(
        [flat * np.sin(azimuth), np.repeat(np.sin(elevation)[:, None], COLUMNS, 1), flat * np.cos(azimuth)], -1
    )
    return origins, directions, len(low)


def _skin(default: HeadModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3931, 3) vertices, (3931, 3) default vertices and their shares in each."""
    origins, directions, first = _rays(default)
    hidden = np.zeros(len(default.v_template), bool)
    for name in _INSIDE:
        hidden |= default.regions[name] > 0.5 if name in default.regions else False
    balls = default.regions["eyeballs"] > 0.5
    flat = origins.reshape(-1, 3), directions.reshape(-1, 3)
    outer = default.faces[~(hidden | balls)[default.faces].any(1)]
    reach, face, bary = _outermost(*flat, default.v_template, outer)
    ball_reach, *_ = _outermost(*flat, default.v_template, default.faces[balls[default.faces].all(1)])
    eye = ball_reach > reach
    if (reach[~eye] < 0).any():
        raise AssertionError(f"{(reach[~eye] < 0).sum()} rays miss the default head")
    reach = np.where(eye, ball_reach - 0.008, reach)
    place = (flat[0] + reach[:, None] * flat[1]).reshape(*origins.shape)
    middle = first + BAND // 2
    mouth = np.abs(place[middle, :, 0]) < 0.024
    mouth &= place[middle, :, 2] > 0
    index = np.arange(len(flat[0])).reshape(origins.shape[:2])
    rim = np.flatnonzero(~eye)
    for sunk in np.flatnonzero(eye):  # behind the opening of an eye: moves with the nearest skin
        index.flat[sunk] = rim[np.linalg.norm(place.reshape(-1, 3)[rim] - place.reshape(-1, 3)[sunk], axis=1).argmin()]
    for row in range(BAND):
        own = first + row
        lip = first if row < BAND // 2 else first + BAND - 1
        index[own, mouth] = index[lip, mouth]
        inward = min(row, BAND - 1 - row) / (BAND // 2 - 1)  # 0 at both lips, 1 at the back
        across = np.sqrt(np.clip(1 - (place[middle, mouth, 0] / 0.026) ** 2, 0.02, 1))
        side = -1 if row < BAND // 2 else 1
        base = place[[first, first + BAND - 1], :][:, mouth].mean(0)
        place[own, mouth] = base + np.stack(
            [np.zeros_like(across), side * (0.0001 + 0.004 * inward * across), -0.022 * inward * across], -1
        )
    keep = np.concatenate([np.arange(64 * COLUMNS + COLUMNS), 65 * COLUMNS + np.arange(0, 1)])
    # 65 rows of 60, a ring of 30 half-way to the pole, the pole.
    rows, pole = place.reshape(-1, 3)[keep[:-1]], place[65, 0]
    source = index.reshape(-1)[keep]
    last = rows[-COLUMNS:][::2]
    ring = 0.5 * (last + pole)
    vertices = np.concatenate([rows, ring, pole[None]])
    source = np.concatenate([source[:-1], source[-1 - COLUMNS : -1 : 2], source[-1:]])
    return vertices, outer[face[source]], bary[source]


def _outermost(
    origins: np.ndarray, directions: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reach (-1: none), face and barycentric weights of the last hit of each ray (Moeller and Trumbore 1997)."""
    corner = vertices[faces].astype(np.float64)
    centre = corner.mean(1)
    radius = np.linalg.norm(corner - centre[:, None], axis=2).max(1)
    reach = np.full(len(origins), -1.0)
    face, bary = np.zeros(len(origins), int), np.zeros((len(origins), 3))
    # Only triangles whose bounding ball a ray touches are tried; single precision is enough for that.
    balls, size = centre.astype(np.float32), (radius**2 - (centre**2).sum(1) + 1e-6).astype(np.float32)
    o, d = origins.astype(np.float32), directions.astype(np.float32)
    for start in range(0, len(origins), 256):
        part = slice(start, start + 256)
        along = d[part] @ balls.T - (o[part] * d[part]).sum(1)[:, None]
        away = -2 * (o[part] @ balls.T) + (o[part] ** 2).sum(1)[:, None]
        ray, hit = np.nonzero((away - along * along < size) & (along > -0.01))
        a, b, c = (corner[hit, k] for k in range(3))
        along_ray = directions[part][ray]
        p = np.cross(along_ray, c - a)
        scale = np.einsum("ij,ij->i", b - a, p)
        scale = np.where(np.abs(scale) < 1e-15, np.inf, scale)
        s = origins[part][ray] - a
        u = np.einsum("ij,ij->i", s, p) / scale
        q = np.cross(s, b - a)
        v = np.einsum("ij,ij->i", along_ray, q) / scale
        t = np.einsum("ij,ij->i", c - a, q) / scale
        good = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (t > 0) & np.isfinite(scale)
        for k in np.flatnonzero(good):
            row = start + ray[k]
            if t[k] > reach[row]:
                reach[row], face[row], bary[row] = t[k], hit[k], (1 - u[k] - v[k], u[k], v[k])
    return reach, face, bary


def _skin_faces() -> np.ndarray:
    """(7800, 3): strips between the rows, sixty to thirty, the cap."""
    k = np.arange(COLUMNS)
    following = (k + 1) % COLUMNS
    faces = []
    for row in range(64):
        a, b = row * COLUMNS + k, row * COLUMNS + following
        faces += [np.stack([a, b, b + COLUMNS], 1), np.stack([a, b + COLUMNS, a + COLUMNS], 1)]
    top, ring, pole = 64 * COLUMNS, 65 * COLUMNS, 65 * COLUMNS + 30
    h = np.arange(30)
    after = (h + 1) % 30
    even, odd, next_even = top + 2 * h, top + 2 * h + 1, top + (2 * h + 2) % COLUMNS
    faces += [
        np.stack([even, odd, ring + h], 1),
        np.stack([odd, next_even, ring + after], 1),
        np.stack([odd, ring + after, ring + h], 1),
        np.stack([ring + h, ring + after, np.full(30, pole)], 1),
    ]
    return np.concatenate(faces)


def _sphere(radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A closed ball of 17 rings of 32 and two poles, the first of which looks along +Z."""
    tilt = np.pi * np.arange(1, 18) / 18
    turn = 2 * np.pi * np.arange(32) / 32
    rings = np.stack(
        [
            np.sin(tilt)[:, None] * np.cos(turn),
            np.sin(tilt)[:, None] * np.sin(turn),
            np.repeat(np.cos(tilt)[:, None], 32, 1),
        ],
        -1,
    ).reshape(-1, 3)
    k, following = np.arange(32), (np.arange(32) + 1) % 32
    faces = [np.stack([np.zeros(32, int), 1 + k, 1 + following], 1)]
    for ring in range(16):
        a, b = 1 + ring * 32 + k, 1 + ring * 32 + following
        faces += [np.stack([a, a + 32, b + 32], 1), np.stack([a, b + 32, b], 1)]
    faces.append(np.stack([1 + 16 * 32 + k, np.full(32, 545), 1 + 16 * 32 + following], 1))
    return radius * np.concatenate([[[0, 0, 1.0]], rings, [[0, 0, -1.0]]]), np.concatenate(faces)


def _bases(default: HeadModel, vertices: np.ndarray, carried) -> np.ndarray:
    """(5023, 3, 400): 300 shape components, then 100 expressions."""
    random = np.random.default_rng(5023)
    where = vertices.copy()
    for ball in (slice(SKIN, SKIN + EYEBALL), slice(SKIN + EYEBALL, None)):
        where[ball] = vertices[ball].mean(0)  # eyeballs move as a whole
    waves = random.normal(0, 20, (3, 48))
    field = np.cos(where @ waves + random.uniform(0, 2 * np.pi, 48))
    amplitude = 0.01 / (1 + np.arange(SHAPES + EXPRESSIONS)) ** 0.8
    front = np.clip((where[:, 2] - 0.0) / 0.03, 0, 1) * np.clip((where[:, 1] + 0.11) / 0.03, 0, 1)
    front[SKIN:] = 0
    bases = np.zeros((VERTICES, 3, SHAPES + EXPRESSIONS))

    def fill(start: int, count: int, known: np.ndarray, mask: np.ndarray) -> None:
        own = min(known.shape[-1], count)
        mixed = known @ np.linalg.qr(random.normal(size=(known.shape[-1],) * 2))[0][:, :own]
        bases[:SKIN, :, start : start + own] = mixed
        smooth = (field @ random.normal(0, 1, (48, 3 * (count - own)))).reshape(VERTICES, 3, -1)
        smooth *= amplitude[own:count] / np.abs(smooth).max((0, 1))
        bases[..., start + own : start + count] = smooth * mask[:, None, None]

    fill(0, SHAPES, carried(default.shapedirs), np.ones(VERTICES))
    fill(SHAPES, EXPRESSIONS, carried(default.expressiondirs), front)
    for ball, joint in ((slice(SKIN, SKIN + EYEBALL), 3), (slice(SKIN + EYEBALL, None), 4)):
        moved = np.tensordot(default.J_regressor[joint].astype(np.float64), default.shapedirs, 1)
        count = min(moved.shape[-1], SHAPES)
        near = np.linalg.norm(vertices[:SKIN] - vertices[ball].mean(0), axis=1).argsort()[:60]
        bases[ball, :, :count] = bases[near, :, :count].mean(0)
    return bases


def _correctives(vertices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(5023, 3, 36): smooth and small for the neck and the jaw, nothing for the eyes, as in FLAME."""
    random = np.random.default_rng(36)
    waves = random.normal(0, 25, (3, 24))
    field = np.cos(vertices @ waves + random.uniform(0, 2 * np.pi, 24))
    smooth = (field @ random.normal(0, 1, (24, 3 * 36))).reshape(VERTICES, 3, 36)
    smooth *= 0.003 / np.abs(smooth).max((0, 1))
    share = np.zeros((VERTICES, 36))
    share[:, :9] = (4 * weights[:, 0] * weights[:, 1])[:, None]
    share[:, 9:18] = (4 * weights[:, 1] * weights[:, 2])[:, None]
    share[SKIN:] = 0
    return smooth * share[:, None]


def _regressor(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(5, 5023): each joint from some eighty vertices round it, weights that sum to one and meet the joint exactly."""
    regressor = np.zeros((5, VERTICES))
    for joint, place in enumerate(joints):
        if joint >= 3:
            near = np.arange(EYEBALL)[::7] + SKIN + EYEBALL * (joint - 3)
        else:
            near = np.linalg.norm(vertices[:SKIN] - place, axis=1).argsort()[:240:3]
        rows = np.concatenate([vertices[near].T, np.ones((1, len(near)))])
        start = np.full(len(near), 1 / len(near))
        regressor[joint, near] = start + np.linalg.pinv(rows) @ (np.append(place, 1) - rows @ start)
    return regressor


def _nearest_on(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face and the barycentric weights of the place on the surface that is nearest to each point."""
    centre = vertices[faces].mean(1)
    face, bary = np.zeros(len(points), np.int64), np.zeros((len(points), 3))
    for index, point in enumerate(points):
        near = np.linalg.norm(centre - point, axis=1).argsort()[:40]
        corner = vertices[faces[near]]
        edges = np.stack([corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]], -1)
        uv = np.einsum("nij,nj->ni", np.linalg.pinv(edges), point - corner[:, 0])
        weight = np.clip(np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1), 0, None)
        weight /= weight.sum(1, keepdims=True)
        best = np.linalg.norm((corner * weight[..., None]).sum(1) - point, axis=1).argmin()
        face[index], bary[index] = near[best], weight[best]
    return face, bary
