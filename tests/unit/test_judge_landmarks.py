"""The judge of landmarks: its measure, and that FaceMesh's places reach it in pixels."""

from __future__ import annotations

import numpy as np
import pytest

from studio.judge_landmarks import LANDMARKS, LEFT_EYE, RIGHT_EYE, Reading


def reading(shift: tuple[float, float]) -> Reading:
    own = np.random.default_rng(0).uniform(0, 512, (LANDMARKS, 2))
    own[RIGHT_EYE], own[LEFT_EYE] = (200.0, 256.0), (300.0, 256.0)
    return Reading("test", own, own + shift)


def test_rms_is_in_percent_of_the_interocular_distance():
    assert reading((3.0, 4.0)).rms() == pytest.approx(5.0)  # 5 px of 100 px: a shift is not aligned away
    assert reading((3.0, 4.0)).summary()["interocular_px"] == pytest.approx(100.0)


def test_a_face_not_found_has_no_rms():
    lost = Reading("test", reading((0, 0)).own, None)
    assert lost.summary()["found"] is False
    assert lost.summary()["rms"] is None


def test_eyes_mirror_each_other():
    from studio.head.landmarks import load

    mirror = load().mirror
    assert {int(mirror[v]) for v in RIGHT_EYE} == set(LEFT_EYE)


def test_offsets_are_solved_from_views():
    """Landmarks that a smooth warp moved are found again from three projections of it."""
    from studio.head.landmarks import load
    from studio.head.tracker_fit import solve_offsets

    mean = load()
    y = mean.points[:, 1]
    truth = np.stack([0 * y, 0.02 * y, 0.1 + 0.01 * y], 1)
    views = []
    for yaw in np.radians([-30.0, 0.0, 30.0]):
        right = np.array([np.cos(yaw), 0, -np.sin(yaw)])
        views.append(np.broadcast_to(16 * np.array([right, [0, -1.0, 0]]), (LANDMARKS, 2, 3)))
    residuals = [np.einsum("lki,li->lk", view, truth) for view in views]
    found = solve_offsets(views, residuals, mean)
    # The regularisation keeps back a tenth, more at the outline.
    assert np.sqrt(((found - truth) ** 2).mean() / (truth**2).mean()) < 0.15
    assert np.abs(found[:, 0] + found[mean.mirror, 0]).max() < 1e-9
