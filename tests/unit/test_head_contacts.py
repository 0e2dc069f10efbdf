"""Nothing of the default head goes through anything else, in 200 random expressions; f and v touch the teeth."""

from __future__ import annotations

import numpy as np
import pytest

from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.neural.flame.lbs import FlameTensors
from studio.head.assemble import Head
from studio.head.expressions import PAIRED, SIGNED
from studio.head.face import EYE_RADIUS
from studio.head.mouth import CORNEA
from studio.head.seals import lip_paths

from .head_poses import Pose, posed
from .mesh_distance import Surface, winding

COUNT, SEED, ACTIVE = 200, 7, 0.12
BATCH = 25


def random_poses(names: list[str]) -> list[Pose]:
    """Expressions as a face could make them.

    Every component is on with probability ACTIVE, at U(0, 1) (the signed ones at U(-1, 1)); both sides of a pair are
    on together half of the time. The jaw opens by 0 to 15 degrees, the gaze turns by up to 20 degrees, the lids shut
    by U(0, 1). What a face cannot do is left out: mouth_close is at most what the open jaw needs; the tongue leaves the
    mouth only as far as the jaw is open, not between pressed lips; the lower lip is at the upper teeth only while the
    jaw is nearly shut; lids follow the gaze, never the other way.
    """
    random = np.random.default_rng(SEED)
    poses = []
    for _ in range(COUNT):
        jaw, gaze = float(random.uniform(0, 15)), random.uniform(-20, 20, 2)
        values: dict[str, float] = {}
        for name in names:
            value = float(random.uniform(-1 if name in SIGNED else 0, 1))
            on = random.random() < ACTIVE
            base = name.removesuffix("_R")
            if name.endswith("_R") and base in PAIRED and random.random() < 0.5:
                on, value = f"{base}_L" in values, values.get(f"{base}_L", 0.0)
            if on:
                values[name] = value
        for name in ("mouth_close", "tongue_out"):
            values[name] = values.get(name, 0.0) * jaw / (10 if name == "mouth_close" else 14)
        values["tongue_out"] = min(values["tongue_out"], 1.0)
        if jaw > 5:
            values.pop("f_tuck", None)
        if values["tongue_out"] > 0:
            for name in ("f_tuck", "lips_press", "lip_roll_lower", "mouth_close"):
                values.pop(name, None)
        for side in "LR":
            values[f"lid_follow_up_{side}"] = max(0.0, -float(gaze[0])) / 20
            values[f"lid_follow_down_{side}"] = max(0.0, float(gaze[0])) / 20
        lids = random.uniform(0, 1) * np.ones(2)
        poses.append(Pose(values, jaw, (float(gaze[0]), float(gaze[1])), (float(lids[0]), float(lids[1]))))
    return poses


class Posed:
    """The head in all random poses, its parts, and its joints at rest."""

    def __init__(self) -> None:
        self.head = HeadModel.load(default_head_path())
        self.flame = FlameTensors.from_head(self.head)
        self.poses = random_poses(self.head.expression_names)
        batches = [self.poses[k : k + BATCH] for k in range(0, COUNT, BATCH)]
        self.points = np.concatenate([posed(self.head, self.flame, batch) for batch in batches])

    def part(self, name: str) -> slice:
        return slice(*self.head.meta["parts"][name])

    def faces(self, name: str, keep: np.ndarray | None = None) -> np.ndarray:
        where = self.part(name)
        faces = self.head.faces[((self.head.faces >= where.start) & (self.head.faces < where.stop)).all(1)]
        return faces if keep is None else faces[keep[faces].all(1)]

    def through(
        self, surface: Surface, solid: np.ndarray, groups: dict[str, np.ndarray], limits: dict[str, float]
    ) -> list[str]:
        """The places where a vertex of `groups` is further than its limit (metres) behind `surface`.

        Where a surface folds upon itself its nearest triangle may face the wrong way, so the winding number of
        `solid`, the triangles of all that the surface bounds, is asked too.
        """
        names = np.repeat(list(groups), [len(v) for v in groups.values()])
        vertices, limit = np.concatenate(list(groups.values())), np.array([limits[name] for name in names])
        found = []
        for points, pose in zip(self.points, self.poses, strict=True):
            # A lip that is tucked in presses against the teeth.
            pressed = 0.001 if pose.expression.get("f_tuck") else 0.0
            depth = -surface.distance(points, points[vertices], 6)
            for k in np.nonzero(depth > limit + pressed)[0]:
                if winding(points, solid, points[vertices[k]][None])[0] > 0.5:
                    place = (points[vertices[k]] * 100).round(2)
                    found.append(f"{names[k]} by {1000 * depth[k]:.2f} mm at {place} cm in {pose}")
        return found


@pytest.fixture(scope="module")
def made() -> Posed:
    return Posed()


def mouth_skin(made: Posed) -> Surface:
    """The mouth's inside and the lips."""
    return Surface(made.faces("skin", made.head.regions["mouth_bag"] | (made.head.regions["lips"] > 0.02)))


def inner_parts(made: Posed) -> dict[str, np.ndarray]:
    """Vertices of teeth, gums and tongue, thinned out; the back third of the tongue is rooted in the mouth's floor."""
    parts = {}
    for name in ("teeth_upper", "teeth_lower", "gum_upper", "gum_lower", "tongue"):
        where = made.part(name)
        parts[name] = np.arange(where.start, where.stop, 9 if name.startswith("teeth") else 4)
    z = made.head.v_template[parts["tongue"], 2]
    parts["tongue"] = parts["tongue"][z > z.max() - 0.66 * np.ptp(z)]
    return parts


def test_nothing_in_the_mouth_goes_through_the_skin(made):
    """Lips are 8 mm thick and soft: what leans on them from behind by as much as this is not seen."""
    parts = inner_parts(made)
    assert made.through(mouth_skin(made), made.faces("skin"), parts, dict.fromkeys(parts, 0.002)) == []


def test_upper_and_lower_teeth_and_the_tongue_clear_each_other(made):
    """On its way out the tongue, which is soft, brushes over the lower teeth."""
    parts = {name: vertices for name, vertices in inner_parts(made).items() if name in ("teeth_lower", "tongue")}
    for name, limits in (
        ("teeth_upper", {"teeth_lower": 0.0003, "tongue": 0.001}),
        ("teeth_lower", {"tongue": 0.0025}),
    ):
        crowns, groups = made.faces(name), {other: parts[other] for other in limits}
        assert made.through(Surface(crowns), crowns, groups, limits) == []


def test_lids_stay_outside_the_eyeballs(made):
    """Skin of the face, the lids' margins too, keeps off the ball and off its cornea, wherever that looks."""
    joints = made.head.J_regressor @ made.head.v_template
    outer = np.nonzero(made.head.regions["face"] & (made.head.regions["lid_rim"] < 0.6))[0]
    for points, pose in zip(made.points, made.poses, strict=True):
        pitch, yaw = np.radians(pose.gaze)
        gaze = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        for centre in joints[3:]:
            away = points[outer] - centre
            away = away[(np.linalg.norm(away, axis=1) < 0.025) & (away[:, 2] > 0.003)]
            radius = np.linalg.norm(away, axis=1)
            angle = np.arccos(np.clip(away @ gaze / radius, -1, 1))
            ball = 0.01 * (EYE_RADIUS + CORNEA * np.exp(-((angle / 0.50) ** 4)))
            assert (radius - ball).min() > -0.0001, (pose, (radius - ball).min())


def test_lips_do_not_cross(made):
    """But for f and v, where the lower lip stands behind the upper one."""
    upper, lower = lip_paths(Head().subdivision)
    others = [k for k, pose in enumerate(made.poses) if not pose.expression.get("f_tuck")]
    assert len(others) > 0.9 * COUNT
    crossing = (made.points[others][:, lower, 1] - made.points[others][:, upper, 1]).max(1)
    assert crossing.max() < 0.0003, made.poses[others[int(crossing.argmax())]]


def test_the_lower_lip_touches_the_upper_teeth_for_f_and_v(made):
    poses = [Pose({"f_tuck": 1.0}, jaw) for jaw in (0, 1, 2, 3, 4)]
    teeth, where = Surface(made.faces("teeth_upper")), made.part("teeth_upper")
    rest = made.head.v_template
    lip = np.nonzero((made.head.regions["lips"] > 0.02) & (np.abs(rest[:, 0]) < 0.010))[0]
    incisors = np.arange(where.start, where.stop)
    incisors = incisors[np.abs(rest[incisors, 0]) < 0.008]
    skin = mouth_skin(made)
    for points in posed(made.head, made.flame, poses):
        to_teeth, to_lip = teeth.distance(points, points[lip]), skin.distance(points, points[incisors])
        assert min(np.abs(to_teeth).min(), np.abs(to_lip).min()) < 0.0003
        assert to_teeth.min() > -0.0005
        assert to_lip.min() > -0.0005
