"""The default head's expressions: their names, their meaning, and lips that seal at every angle of the jaw."""

from __future__ import annotations

import numpy as np
import pytest

from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.neural.adf.articulation import USED_EXPRESSIONS
from erlnet_blender.neural.flame.lbs import FlameTensors
from studio.head.assemble import Head
from studio.head.expressions import OPENERS
from studio.head.seals import lip_paths

from .head_poses import Pose, posed

# The file's order is a contract: coefficients of tracks made before go by it.
CONTRACT = [
    "mouth_close", "lips_press", "pucker", "funnel", "stretch_L", "stretch_R", "smile_L", "smile_R", "frown_L",
    "frown_R", "upper_lip_raise_L", "upper_lip_raise_R", "lower_lip_depress_L", "lower_lip_depress_R", "f_tuck",
    "dimple_L", "dimple_R", "mouth_shift", "jaw_forward", "tongue_up", "tongue_out", "tongue_back",
    "brow_inner_up", "brow_outer_up_L", "brow_outer_up_R", "brow_down_L", "brow_down_R", "cheek_raise_L",
    "cheek_raise_R", "nose_wrinkle_L", "nose_wrinkle_R", "puff_L", "puff_R", "squint_L", "squint_R",
    "eye_wide_L", "eye_wide_R", "lip_roll_upper", "lip_roll_lower", "jaw_side", "chin_raise", "upper_lip_shrug",
    "lip_tighten", "lips_part", "sharp_lip_pull_L", "sharp_lip_pull_R", "cheek_suck_L", "cheek_suck_R",
    "nostril_flare_L", "nostril_flare_R", "brow_together", "lid_follow_up_L", "lid_follow_up_R",
    "lid_follow_down_L", "lid_follow_down_R", "neck_tighten", "swallow", "tongue_side", "lip_blow",
]  # fmt: skip
SEALED_M = 0.00015  # closed lips are nowhere on the line of contact further apart, nor cross further


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


@pytest.fixture(scope="module")
def flame(head) -> FlameTensors:
    return FlameTensors.from_head(head)


@pytest.fixture(scope="module")
def lines() -> tuple[list[int], list[int]]:
    """Fine vertices of the upper and of the lower line of contact, corner to corner."""
    return lip_paths(Head().subdivision)


def both(name: str) -> dict[str, float]:
    return {f"{name}_L": 1.0, f"{name}_R": 1.0}


def test_names_and_their_order(head):
    assert head.expression_names == CONTRACT
    assert set(USED_EXPRESSIONS) <= set(CONTRACT)


@pytest.mark.parametrize("press", [0.0, 0.35])
def test_lips_seal_at_every_angle_of_the_jaw(head, flame, lines, press):
    upper, lower = lines
    assert len(upper) == len(lower) == 41
    poses = [Pose({"mouth_close": a / 10, "lips_press": press}, a) for a in range(13)]
    points = posed(head, flame, poses)
    gaps = points[:, upper] - points[:, lower]
    assert np.linalg.norm(gaps, axis=-1).max() < SEALED_M
    assert gaps[..., 1].min() > -SEALED_M


def test_closed_lips_stay_closed_unless_a_shape_parts_them(head, flame, lines):
    poses = {name: Pose({name: 1.0}) for name in CONTRACT if name != "mouth_close"}
    points = posed(head, flame, list(poses.values()))
    gaps = np.linalg.norm(points[:, lines[0]] - points[:, lines[1]], axis=-1).max(1)
    for name, gap in zip(poses, gaps, strict=True):
        if name.removesuffix("_L").removesuffix("_R") in OPENERS:
            assert gap > 0.001, name
        else:
            assert gap < SEALED_M, name


def test_mouth_opens_without_a_seal(head, flame):
    points = posed(head, flame, [Pose(jaw=10)])[0]
    assert points[13, 1] - points[14, 1] > 0.008


@pytest.mark.parametrize(
    ("expression", "vertex", "axis", "least_mm"),
    [
        (both("smile"), 61, 1, 4.0), (both("smile"), 291, 0, 4.0), (both("frown"), 61, 1, -3.0),
        (both("sharp_lip_pull"), 61, 1, 4.0), (both("stretch"), 291, 0, 4.0), ({"pucker": 1.0}, 291, 0, -6.0),
        ({"chin_raise": 1.0}, 18, 1, 2.0), ({"brow_inner_up": 1.0}, 107, 1, 4.0), ({"brow_together": 1.0}, 55, 0, 2.0),
        (both("brow_outer_up"), 63, 1, 4.0), (both("brow_down"), 107, 1, -2.5), (both("nostril_flare"), 64, 0, -1.0),
        (both("lid_follow_down"), 159, 1, -2.0), (both("lid_follow_up"), 159, 1, 1.0), (both("eye_wide"), 159, 1, 1.0),
        ({"jaw_side": 1.0}, 199, 0, 3.0), ({"jaw_side": -1.0}, 199, 0, -3.0), ({"jaw_forward": 1.0}, 199, 2, 4.0),
        (both("cheek_suck"), 207, 0, 2.0), (both("puff"), 207, 0, -2.0), (both("nose_wrinkle"), 129, 1, 1.5),
        ({"lips_part": 1.0}, 14, 1, -2.0), ({"lip_tighten": 1.0}, 0, 1, -1.0), ({"upper_lip_shrug": 1.0}, 0, 1, 1.0),
    ],
)  # fmt: skip
def test_each_expression_moves_its_landmark(head, flame, expression, vertex, axis, least_mm):
    """By at least so much, in that direction: x is the own left, y up, z forward."""
    rest, moved = posed(head, flame, [Pose(), Pose(expression)])[:, vertex, axis]
    assert 1000 * (moved - rest) * np.sign(least_mm) > abs(least_mm)
