"""Head poses that are learnt beside the field: the mathematics of moved hits, and recovery of disturbed poses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from erlnet_blender.face_track import FaceTrack
from erlnet_blender.neural.dbf_nerf.avatar import Avatar, new_field
from erlnet_blender.neural.dbf_nerf.canonical_rays import Frames, canonical_rays
from erlnet_blender.neural.dbf_nerf.dataset import CaptureDataset
from erlnet_blender.neural.dbf_nerf.driving_mesh import CANONICAL, DrivingMesh
from erlnet_blender.neural.dbf_nerf.hit_motion import NECK, HitMotion, parameters_of, track_of
from erlnet_blender.neural.dbf_nerf.rasterizer import View
from erlnet_blender.neural.dbf_nerf.ray_band import interpolate, ray_band
from erlnet_blender.neural.dbf_nerf.training import train
from erlnet_blender.neural.dbf_nerf.training.active_pool import ActivePool
from erlnet_blender.neural.dbf_nerf.training.previews import Previews
from erlnet_blender.neural.dbf_nerf.training.refinement import Refinement, level_weights

from .rough_head import rough_head
from .test_dbf_nerf import camera, write_capture


@pytest.fixture(scope="module")
def mesh() -> DrivingMesh:
    torch.set_num_threads(1)
    head = rough_head()
    return DrivingMesh(head, np.tile([0.004, 0.003], (len(head.v_template), 1)))


def track(mesh: DrivingMesh, **changed: object) -> FaceTrack:
    values = {
        "neck_pose": [0.1, 0.3, -0.05], "jaw_pose": [0.1, 0, 0], "rotation": [0.05, -0.1, 0.02],
        "translation": [0.01, 0.02, -0.01], "eyes_pose": [0.1, 0, 0, 0.1, 0, 0], "eyelids": [0.2, 0.4],
    } | changed  # fmt: skip
    channels = {name: np.asarray([value], np.float32) for name, value in values.items()}
    return FaceTrack(np.array([[0.3, 0.6]]), 25.0, mesh.head.id, **channels)


def test_parameters_and_track_are_inverse(mesh):
    there = track(mesh)
    back = track_of(parameters_of(mesh, there), there)
    for name, value in there.arrays().items():
        if name != "source":
            np.testing.assert_allclose(back.arrays()[name], value, atol=1e-6) if value.dtype.kind == "f" else None


@pytest.mark.parametrize(
    "changed",
    [
        {"neck_pose": [0.16, 0.25, 0.0]},
        {"rotation": [0.1, -0.15, 0.05], "translation": [0.015, 0.015, -0.005]},
        {"jaw_pose": [0.16, 0, 0], "eyes_pose": [0.2, 0.1, 0, 0.0, 0.1, 0]},
    ],
)
def test_moved_hits_are_those_of_the_moved_head(mesh, changed):
    """Rays of a table made for one pose, moved to another, are those of a table made for the other."""
    before, now = track(mesh), track(mesh, **changed)
    first, second = mesh.frame(before), mesh.frame(now)
    views = [View.from_camera(camera(10), geometry.root) for geometry in (first, second)]
    band = ray_band(mesh, first, views[0])
    frame = torch.zeros(len(band), dtype=torch.int64)
    motion = HitMotion(mesh, torch.zeros(0))
    poses = [motion.pose(parameters_of(mesh, where)) for where in (now, before)]
    moved = Frames.stack([first], [views[0].origin]).moved(motion, *poses)
    turned = replace(band, direction=moved.moves.directions(band.direction, frame))
    got, _ = canonical_rays(mesh, moved, frame, band)
    expected, _ = canonical_rays(mesh, Frames.stack([second], [views[1].origin]), frame, turned)
    unmoved, _ = canonical_rays(mesh, Frames.stack([first], [views[0].origin]), frame, band)
    torch.testing.assert_close(moved.origin, views[1].origin[None], atol=1e-5, rtol=0)
    for name in ("head_origin", "head_direction", "static_origin", "static_direction"):
        error = (getattr(got, name) - getattr(expected, name)).norm(dim=1).quantile(0.95)
        change = (getattr(unmoved, name) - getattr(expected, name)).norm(dim=1).quantile(0.95)
        # The slide at the neck and triangles between two joints are right to first order only.
        assert error < max(0.05 * change, 2e-5), name


def test_gradients_of_moved_hits_are_those_of_finite_differences(mesh):
    geometry = mesh.frame(track(mesh))
    view = View.from_camera(camera(10), geometry.root)
    band = ray_band(mesh, geometry, view)[::40]
    frame = torch.zeros(len(band), dtype=torch.int64)
    motion, frames = HitMotion(mesh, torch.zeros(0)), Frames.stack([geometry], [view.origin])
    start = parameters_of(mesh, track(mesh))
    weights = torch.rand(2, len(band) * 2, 3, generator=torch.Generator().manual_seed(0))

    def value(parameters: torch.Tensor) -> torch.Tensor:
        rays, _ = canonical_rays(mesh, frames.moved(motion, motion.pose(parameters), motion.pose(start)), frame, band)
        ends = torch.cat([rays.head_origin + 0.9 * rays.head_direction, rays.static_origin])
        return (ends * weights.flatten(0, 1)[: len(ends)]).sum()

    parameters = start.clone().requires_grad_(True)
    value(parameters).backward()
    for column in (0, 4, 7, 9, 13, 20):
        step = torch.zeros_like(start)
        step[0, column] = 5e-3
        slope = float(value(start + step) - value(start - step)) / 1e-2
        assert float(parameters.grad[0, column]) == pytest.approx(slope, rel=0.03, abs=0.02), column


def test_levels_open_from_coarse_to_fine():
    early, middle, late = (level_weights(share, 8) for share in (0.0, 0.15, 0.5))
    assert early[0] == 1
    assert early[-1] == 0
    assert (middle.diff() <= 0).all()
    assert (late == 1).all()


def test_branch_starts_at_the_given_poses_and_never_moves_all_frames_alike(mesh):
    given = FaceTrack.joined([track(mesh), track(mesh, neck_pose=[0.0, -0.2, 0.1])])
    refinement = Refinement(mesh, given, torch.rand(2, 4, 64, 64))
    start = parameters_of(mesh, given)
    torch.testing.assert_close(refinement.parameters_now(), start)
    refinement.parameters_now()[0, NECK].sum().backward()
    assert refinement.branch.say[-1].weight.grad.abs().max() > 0
    assert refinement.residual.grad.abs().max() > 0
    with torch.no_grad():
        refinement.residual[0] += 10
    moved = refinement.parameters_now().detach() - start
    assert moved[0, NECK].abs().min() > 0
    torch.testing.assert_close(moved[:, NECK].mean(0), torch.zeros(3), atol=1e-6, rtol=0)


def test_active_pool_keeps_the_worst_and_forgets_what_got_better():
    pool, generator = ActivePool(torch.device("cpu")), torch.Generator().manual_seed(0)
    assert len(pool.draw(4, generator)) == 0
    pool.note(torch.arange(20_000), torch.arange(20_000).float())
    assert int(pool.rays.min()) == 20_000 - 16384
    pool.note(torch.tensor([19_999]), torch.tensor([0.0]))
    assert float(pool.errors[pool.rays == 19_999]) == 0.0
    assert len(pool.draw(500, generator)) == 500


def test_previews_tell_when_held_out_pictures_get_no_better(tmp_path, mesh):
    write_capture(tmp_path, mesh.head, mesh, 2, 24)
    band = np.full((len(mesh.head.v_template), 2), 0.004, np.float32)
    small = {"levels": 2, "head_log2_table": 8, "static_log2_table": 8, "head_finest": 24, "static_finest": 24}
    avatar = Avatar(new_field(mesh, **small), band, mesh.head.id, 4)
    previews = Previews(avatar, mesh, CaptureDataset.load(tmp_path), tmp_path / "a.safetensors", patience=2)
    for step in range(3):
        assert not previews.stale
        previews.look(None, step)
    assert previews.stale


def painted_capture(folder, mesh: DrivingMesh, count: int, size: int) -> FaceTrack:
    """Pictures of the rough head with a pattern that sticks to it, from turned cameras; its true track."""
    write_capture(folder, mesh.head, mesh, count, size)
    capture = CaptureDataset.load(folder)
    place = mesh.constant[:, CANONICAL]
    colour = 0.5 + 0.4 * torch.sin(90 * place + torch.tensor([0.0, 1.0, 2.0]))
    for shot in capture.shots:
        geometry = mesh.frame(capture.track[shot.timestep])
        band = ray_band(mesh, geometry, View.from_camera(shot.camera, geometry.root))
        band = band[band.solid]
        picture = np.zeros((size * size, 4), np.uint8)
        picture[band.pixel, :3] = 255 * interpolate(colour, mesh.faces[band.face], band.barycentric)
        picture[band.pixel, 3] = 255
        Image.fromarray(picture.reshape(size, size, 4)).save(shot.path)
    return capture.track


def test_disturbed_poses_are_recovered(tmp_path, mesh):
    """Turned by 3° each, the training frames find their way back."""
    truth = painted_capture(tmp_path, mesh, count=24, size=48)
    random = np.random.default_rng(3)
    off = replace(truth, neck_pose=truth.neck_pose + np.radians(3) / 3**0.5 * random.normal(size=(24, 3)))
    off.save(tmp_path / "track.npz")
    train(
        tmp_path, tmp_path / "avatar.safetensors", refine_poses=True, head=mesh.head, threads=1, rays=512, samples=4,
        steps=400, report=lambda line: None,
        sizes={"levels": 6, "head_log2_table": 12, "static_log2_table": 12, "head_finest": 64, "static_finest": 64},
    )  # fmt: skip
    assert (tmp_path / "avatar.preview.png").is_file()
    found = FaceTrack.load(tmp_path / "avatar.track.npz")
    before, after = (np.median(turned_by_deg(where.neck_pose, truth.neck_pose)) for where in (off, found))
    assert after < 0.6 * before


def turned_by_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.degrees((Rotation.from_rotvec(first).inv() * Rotation.from_rotvec(second)).magnitude())
