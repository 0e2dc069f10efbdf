"""Tracks on heads that they were not made for."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from erlnet_blender import cli
from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.neural.flame.bounded import minimise
from erlnet_blender.neural.flame.correspondence import correspond
from erlnet_blender.neural.flame.lbs import FlameTensors, pose_track
from erlnet_blender.neural.flame.refit import refit

from ..flame_files import flame_sized_head
from .remeshed_head import remeshed


def motion_of(head, frames=24, seed=0):
    """Faces all over the range, with everything that the skin does not show left out."""
    random = np.random.default_rng(seed)
    count = len(head.expression_names)
    expr = np.clip(random.normal(0.1, 0.35, (frames, count)), 0, 1) * (random.random((frames, count)) < 0.3)
    expr[:, [name.startswith("tongue") for name in head.expression_names]] = 0
    jaw = random.normal(0, 0.01, (frames, 3))
    jaw[:, 0] = random.uniform(0, 0.25, frames)
    return FaceTrack(
        expr, 25, head.id, jaw_pose=jaw, neck_pose=random.normal(0, 0.1, (frames, 3)),
        rotation=random.normal(0, 0.2, (frames, 3)), translation=random.normal(0, 0.1, (frames, 3)),
        eyes_pose=random.normal(0, 0.1, (frames, 6)), eyelids=random.uniform(0, 1, (frames, 2)),
    )  # fmt: skip


def test_the_same_head_is_an_identity(head):
    track = motion_of(head)
    fitted = refit(track, head, head)
    assert fitted.rms_mm == fitted.max_mm == 0
    for name, value in track.arrays().items():
        if name != "source":
            assert np.array_equal(fitted.track.arrays()[name], value)


def test_the_same_head_in_other_triangles_gives_the_coefficients_back(head):
    """Nothing tells it that the coefficients are the same but where the surface goes."""
    twin = remeshed(head, person=False)
    track = motion_of(head)
    fitted = refit(track, head, twin)
    assert fitted.rms_mm < 0.12
    assert np.abs(fitted.track.jaw_pose - track.jaw_pose).max() < np.deg2rad(0.5)
    posed = [pose_track(FlameTensors.from_head(head), one).vertices for one in (track, replace(fitted.track))]
    skin = head.regions["face"] & head.regions["skin"] & ~head.regions["mouth_bag"]
    off = (posed[0] - posed[1])[:, skin].norm(dim=-1) * 1000
    assert off.square().mean().sqrt() < 0.25


def test_another_person_moves_alike_and_back_again(head, other_head):
    track = motion_of(head)
    there = refit(track, head, other_head)
    assert there.rms_mm < 0.25
    assert there.max_mm < 5
    assert there.rms_mm < 0.05 * there.motion_rms_mm
    assert there.track.head_id == other_head.id
    back = refit(there.track, other_head, head)
    posed = [pose_track(FlameTensors.from_head(head), one).vertices for one in (track, back.track)]
    skin = head.regions["face"] & head.regions["skin"] & ~head.regions["mouth_bag"]
    off = (posed[0] - posed[1])[:, skin].norm(dim=-1) * 1000
    assert off.square().mean().sqrt() < 0.3


def test_joints_and_eyelids_are_carried_over(head, other_head):
    track = motion_of(head)
    fitted = refit(track, head, other_head).track
    for name in ("neck_pose", "rotation", "translation", "eyes_pose", "eyelids"):
        assert np.array_equal(getattr(fitted, name), getattr(track, name))


def test_neutral_stays_neutral(head, other_head):
    still = FaceTrack(np.zeros((2, len(head.expression_names))), 25, head.id)
    fitted = refit(still, head, other_head)
    assert np.abs(fitted.track.expr).max() < 1e-6
    assert np.abs(fitted.track.jaw_pose).max() < 1e-6
    assert not fitted.track.shape.size


def test_a_flame_sized_head_takes_a_blink_into_its_expressions(head):
    flame = flame_sized_head()
    assert flame.eyelids is None
    track = motion_of(head)
    fitted = refit(track, head, flame)
    assert not fitted.track.eyelids.any()
    assert np.abs(fitted.track.expr).max() <= 3
    assert fitted.rms_mm < 0.08 * fitted.motion_rms_mm


def test_a_head_with_eyelids_gets_them_from_one_without(head, other_head):
    """Lids that were expressions become lids."""
    lids = head.eyelids.transpose(1, 2, 0)
    without = replace(
        other_head,
        eyelids=None,
        expressiondirs=np.concatenate([other_head.expressiondirs, other_head.eyelids.transpose(1, 2, 0)], 2),
        meta={"id": "no-lids"},
    )
    assert lids.shape[-1] == 2
    expr = np.zeros((3, without.expressiondirs.shape[-1]))
    expr[:, -2:] = [[0, 0], [1, 0], [0.5, 1]]
    fitted = refit(FaceTrack(expr, 25, "no-lids"), without, head)
    assert np.abs(fitted.track.eyelids - expr[:, -2:]).max() < 0.25
    assert fitted.rms_mm < 0.2 * fitted.motion_rms_mm


def test_identity_goes_over_by_one_solve(head, other_head):
    shape = np.zeros(head.shapedirs.shape[-1], np.float32)
    shape[:3] = [1.5, -1.0, 0.7]
    fitted = refit(replace(motion_of(head, 2), shape=shape), head, other_head).track
    pair = correspond(head, other_head)
    wanted = pair.source.on(head.shapedirs @ shape, head.faces) @ (pair.similarity.scale * pair.similarity.rotation.T)
    reached = pair.target.on(other_head.shapedirs @ fitted.shape, other_head.faces)
    assert np.linalg.norm(reached - wanted) < 0.15 * np.linalg.norm(wanted)


def test_a_track_of_another_head_is_refused_with_a_remedy(head, other_head):
    with pytest.raises(ErlnetError, match="from-head"):
        refit(replace(motion_of(head, 2), head_id="elsewhere"), head, other_head)
    with pytest.raises(ErlnetError, match="expressions"):
        refit(FaceTrack(np.zeros((1, 500)), 25, head.id), head, other_head)


def test_boxed_minimum_meets_its_conditions():
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(6, 80, 30, dtype=torch.float64, generator=random)
    rows = rows * torch.logspace(0, -1.5, 30, dtype=torch.float64) + 0.3 * rows[..., :1]
    H = rows.mT @ rows + 1e-3 * torch.eye(30)
    g = (rows.mT @ torch.randn(6, 80, 1, dtype=torch.float64, generator=random))[..., 0]
    low, high = torch.full((30,), -0.1, dtype=torch.float64), torch.full((30,), 0.2, dtype=torch.float64)
    x = minimise(H, g, low, high, rounds=2000)
    slope = (H @ x[..., None])[..., 0] - g
    free = (x > low + 1e-9) & (x < high - 1e-9)
    assert free.any()
    assert (~free).any()
    assert slope[free].abs().max() < 1e-5
    assert (slope[x <= low + 1e-9] > -1e-5).all()
    assert (slope[x >= high - 1e-9] < 1e-5).all()


def test_convert_prints_the_residual(head, tmp_path, capsys):
    target, track, output = (tmp_path / name for name in ("flame.npz", "track.npz", "out.npz"))
    flame_sized_head().save(target)
    motion_of(head, 3).save(track)
    words = ["convert", track, "--head", target, "-o", output]
    assert cli.main([*map(str, words), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["output"] == str(output)
    assert 0 < figures["rms_mm"] < 1
    assert FaceTrack.load(output).head_id == flame_sized_head().id
    # The way back needs to be told where it comes from.
    assert cli.main(["convert", str(output), "-o", str(track)]) == 2
    assert "--from-head" in capsys.readouterr().err
    assert cli.main(["convert", str(output), "--from-head", str(target), "-o", str(track)]) == 0
    assert "rms_mm" in capsys.readouterr().out
    assert FaceTrack.load(track).head_id == head.id
