"""The renderer's geometry, the shipped avatar's behaviour, and training on a synthetic capture."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.ndimage import binary_dilation
from scipy.spatial.transform import Rotation

from erlnet_blender.camera import Camera
from erlnet_blender.errors import Cancelled, ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.neural.dbf_nerf.avatar import Avatar, default_avatar_path
from erlnet_blender.neural.dbf_nerf.canonical_rays import Frames, canonical_rays
from erlnet_blender.neural.dbf_nerf.dataset import CaptureDataset, frame_entry
from erlnet_blender.neural.dbf_nerf.driving_mesh import HEAD_WEIGHT, SKIN, DrivingMesh, mask
from erlnet_blender.neural.dbf_nerf.evaluation import ssim_map
from erlnet_blender.neural.dbf_nerf.rasterizer import View, rasterize
from erlnet_blender.neural.dbf_nerf.ray_band import interpolate, ray_band, sample_distances
from erlnet_blender.neural.dbf_nerf.renderer import AvatarRenderer
from erlnet_blender.neural.dbf_nerf.supersampling import detailed_pixels, finer, parents_of, parts_of
from erlnet_blender.neural.dbf_nerf.training import train

from .rough_head import rough_head


def camera(yaw_deg: float = 0.0, size: int = 96, distance: float = 0.95) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("Y", yaw_deg, degrees=True).as_matrix()
    pose[:3, 3] = pose[:3, 2] * distance + [0, -0.035, -0.03]
    focal = 85 / 36 * size
    return Camera(pose, focal, focal, size / 2, size / 2, size, size)


def still(head: HeadModel, **channels: object) -> FaceTrack:
    values = {name: np.asarray([value], np.float32) for name, value in channels.items()}
    expr = values.pop("expr", np.zeros((1, head.expressiondirs.shape[-1])))
    return FaceTrack(expr, 25.0, head.id, **values)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def rough() -> tuple[HeadModel, DrivingMesh]:
    made = rough_head()
    return made, DrivingMesh(made, np.tile([0.004, 0.003], (len(made.v_template), 1)))


# The warp


def test_canonical_rays_meet_the_canonical_surface(rough):
    """Where a ray hits the posed skin of the rigid head, its canonical image hits the canonical surface."""
    head, mesh = rough
    track = still(
        head, neck_pose=[0.1, 0.4, -0.1], jaw_pose=[0.2, 0, 0], rotation=[0, 0.3, 0.1], translation=[0.1, 0, 0.05]
    )
    geometry = mesh.frame(track)
    view = View.from_camera(camera(15), geometry.root)
    band = ray_band(mesh, geometry, view)
    rays, _ = canonical_rays(
        mesh, Frames.stack([geometry], [view.origin]), torch.zeros(len(band), dtype=torch.int64), band
    )
    chosen = torch.nonzero(band.solid & (rays.head_weight[: len(band)] > 0.999))[:, 0]
    assert len(chosen) > 500
    corners = mesh.faces[band.face[chosen]]
    posed = interpolate(geometry.table[:, :3], corners, band.barycentric[chosen])
    distance = (posed - view.origin).norm(dim=1)[:, None]
    there = rays.head_origin[chosen] + distance * rays.head_direction[chosen]
    surface = interpolate(mesh.constant[:, :3], corners, band.barycentric[chosen])
    torch.testing.assert_close(there, surface, atol=2e-4, rtol=0)


def test_canonical_rays_undo_pose(rough):
    """On the rigid skull the canonical ray of a turned head is that of the still head and a turned camera."""
    head, mesh = rough
    joint = head.J_regressor[1] @ head.v_template
    turn = Rotation.from_rotvec([0.1, 0.5, 0.0])
    turned, rest = mesh.frame(still(head, neck_pose=turn.as_rotvec())), mesh.frame(still(head))
    pose = camera(10).rig_from_camera.copy()
    undone = pose.copy()
    undone[:3, :3] = turn.as_matrix().T @ pose[:3, :3]
    undone[:3, 3] = turn.as_matrix().T @ (pose[:3, 3] - joint) + joint
    found = []
    for geometry, matrix in ((turned, pose), (rest, undone)):
        view = View.from_camera(Camera(matrix, 226.0, 226.0, 48, 48, 96, 96))
        band = ray_band(mesh, geometry, view)
        frame = torch.zeros(len(band), dtype=torch.int64)
        rays, _ = canonical_rays(mesh, Frames.stack([geometry], [view.origin]), frame, band)
        chosen = band.solid & (rays.head_weight[: len(band)] > 0.999) & (rays.moved[: len(band)] < 0.5)
        chosen = torch.nonzero(chosen & (mesh.part[band.face] == SKIN))[:, 0]
        found.append(
            {
                int(p): (rays.head_origin[i], rays.head_direction[i])
                for p, i in zip(band.pixel[chosen], chosen, strict=True)
            }
        )
    both = sorted(set(found[0]) & set(found[1]))
    assert len(both) > 500
    for number in (0, 1):
        first, second = (torch.stack([rays[pixel][number] for pixel in both]) for rays in found)
        torch.testing.assert_close(first, second, atol=1e-3, rtol=0)


def test_samples_are_ordered_and_fill_their_stretches(rough):
    head, mesh = rough
    geometry = mesh.frame(still(head, neck_pose=[0.25, 0.3, 0.0]))
    band = ray_band(mesh, geometry, View.from_camera(camera(-20)))
    assert band.double.any()
    distance, length, in_front = sample_distances(band, 8)
    assert (distance.diff(dim=1) > 0).all()
    whole = (
        band.far - band.near + torch.where(band.double, band.front_far - band.front_near, torch.zeros_like(band.near))
    )
    torch.testing.assert_close(length.sum(1), whole, atol=1e-5, rtol=1e-4)
    assert (in_front.sum(1) == torch.where(band.double, 4, 0)).all()


def test_finer_pixels_know_their_parents():
    view = View.from_camera(Camera(np.eye(4), 20.0, 20.0, 3.0, 2.0, 6, 4))
    detail = torch.zeros(24, dtype=torch.bool)
    detail[[0, 8, 23]] = True
    fine = finer(view)
    pixel = torch.nonzero(parts_of(detail, view))[:, 0]
    assert torch.bincount(parents_of(pixel, view), minlength=24)[[0, 8, 23]].tolist() == [4, 4, 4]
    assert len(pixel) == 12
    centres = view.directions(parents_of(pixel, view))
    assert float((fine.directions(pixel) * centres).sum(1).min()) > 0.999


# The shipped avatar


def test_shipped_avatar_is_small_and_says_how_it_was_made():
    assert default_avatar_path().stat().st_size <= 20e6
    avatar = Avatar.load(default_avatar_path())
    assert {"command", "training", "evaluation"} <= set(avatar.made)


def test_picture_is_finite_deterministic_and_inside_the_silhouette(renderer, head):
    track = still(head, neck_pose=[0.0, 0.35, 0.0])
    first, second = renderer.render(track, camera(10)), renderer.render(track, camera(10))
    assert first["rgba"].shape == (96, 96, 4)
    assert first["rgba"].dtype == np.float32
    assert first["depth"].shape == (96, 96)
    assert all(np.isfinite(first[name]).all() for name in first)
    np.testing.assert_array_equal(first["rgba"], second["rgba"])
    alpha = first["rgba"][..., 3]
    assert alpha.min() >= 0
    assert alpha.max() <= 1.0 + 1e-5
    assert (first["rgba"][..., :3] <= alpha[..., None] + 1e-5).all()
    geometry = renderer.mesh.frame(track)
    solid = (
        (rasterize(geometry.table[:, :3], renderer.mesh.faces, View.from_camera(camera(10))) >= 0).view(96, 96).numpy()
    )
    assert alpha[solid].mean() > 0.97
    shell = np.zeros(96 * 96, bool)
    shell[ray_band(renderer.mesh, geometry, View.from_camera(camera(10))).pixel.numpy()] = True
    # Pixels with edges take rays off their centres as well.
    assert (alpha[~binary_dilation(shell.reshape(96, 96), iterations=1)] == 0).all()
    near = first["depth"][alpha > 0.9]
    assert near.min() > 0.7
    assert near.max() < 1.2


def test_jaw_moves_the_mouth_and_leaves_the_rest(renderer, head):
    shut, opened = (renderer.render(still(head, jaw_pose=[jaw, 0, 0]), camera())["rgba"] for jaw in (0.0, 0.25))
    change = np.abs(shut - opened).max(-1)
    geometry = renderer.mesh.frame(still(head, jaw_pose=[0.25, 0, 0]))
    moved = (geometry.table[:, :3] - renderer.mesh.frame(still(head)).table[:, :3]).norm(dim=1) > 5e-4
    inside = renderer.mesh.part != SKIN
    touched = moved[renderer.mesh.faces].any(1) | inside
    band = ray_band(renderer.mesh, geometry, View.from_camera(camera()))
    lower = np.zeros(96 * 96, bool)
    lower[band.pixel[touched[band.face]].numpy()] = True
    lower = lower.reshape(96, 96)
    lips = torch.as_tensor(mask(head, "lips"))[renderer.mesh.source][renderer.mesh.faces].any(1)
    mouth = np.zeros(96 * 96, bool)
    mouth[band.pixel[lips[band.face]].numpy()] = True
    assert change[mouth.reshape(96, 96)].mean() > 0.05
    upper = np.zeros_like(lower)
    upper[: np.flatnonzero(lower.any(1))[0]] = True
    # A pixel or two may see another triangle of the hairline after rounding.
    assert np.quantile(change[upper], 0.998) < 0.02
    assert change[upper].max() < change[mouth.reshape(96, 96)].max() / 2


def test_gaze_changes_the_eyes_only(renderer, head):
    ahead, aside = (
        renderer.render(still(head, eyes_pose=[0, yaw, 0, 0, yaw, 0]), camera())["rgba"] for yaw in (0.0, 0.3)
    )
    change = np.abs(ahead - aside).max(-1)
    geometry = renderer.mesh.frame(still(head))
    band = ray_band(renderer.mesh, geometry, View.from_camera(camera()))
    eyes = np.zeros(96 * 96, bool)
    eyeball = torch.as_tensor(mask(head, "eyeballs"))[renderer.mesh.source][renderer.mesh.faces].all(1)
    eyes[band.pixel[eyeball[band.face]].numpy()] = True
    eyes = eyes.reshape(96, 96)
    assert change[eyes].mean() > 5 * change[~eyes].mean() + 0.01


def test_root_motion_is_inverse_camera_motion(renderer, head):
    turn, move = Rotation.from_rotvec([0.2, -0.6, 0.1]), np.array([0.3, -0.1, 0.2])
    joint = head.J_regressor[0] @ head.v_template
    track = still(head, neck_pose=[0, 0.2, 0])
    moved = still(head, neck_pose=[0, 0.2, 0], rotation=turn.as_rotvec(), translation=move)
    rigid = np.eye(4)
    rigid[:3, :3] = turn.as_matrix()
    rigid[:3, 3] = joint - turn.as_matrix() @ joint + move
    before = camera(5)
    after = Camera(rigid @ before.rig_from_camera, before.focal_x, before.focal_y, 48, 48, 96, 96)
    expected, got = renderer.render(track, before), renderer.render(moved, after)
    difference = np.abs(expected["rgba"] - got["rgba"]).max(-1)
    assert np.median(difference[expected["rgba"][..., 3] > 0.5]) < 1e-3
    assert (difference > 0.05).mean() < 0.005  # pixels whose triangle changes by rounding


def test_camera_turned_away_gives_an_empty_picture(renderer, head):
    pose = camera().rig_from_camera @ np.diag([-1.0, 1.0, -1.0, 1.0])
    picture = renderer.render(still(head), Camera(pose, 200.0, 200.0, 20, 15, 40, 30))
    assert picture["rgba"].shape == (30, 40, 4)
    assert not picture["rgba"].any()
    assert (picture["depth"] == np.float32(1e10)).all()


@pytest.mark.parametrize("distance", [0.05, 0.3, 30.0])
def test_any_distance_stays_finite(renderer, head, distance):
    picture = renderer.render(still(head, jaw_pose=[0.3, 0, 0]), camera(25, 40, distance))
    assert all(np.isfinite(value).all() for value in picture.values())


def test_cancel_and_wrong_head(renderer, head):
    with pytest.raises(Cancelled):
        renderer.render(still(head), camera(), cancelled=lambda: True)
    other = still(head)
    other.head_id = "another"
    with pytest.raises(ErlnetError, match="another"):
        renderer.render(other, camera())
    with pytest.raises(ErlnetError, match="lens"):
        renderer.render(still(head), Camera(np.full((4, 4), np.nan), 1.0, 1.0, 0, 0, 8, 8))


def test_expressions_left_out_are_zero(renderer, head):
    short = renderer.render(still(head, expr=[0.5]), camera(size=48))["rgba"]
    full = np.zeros(head.expressiondirs.shape[-1])
    full[0] = 0.5
    np.testing.assert_array_equal(short, renderer.render(still(head, expr=full), camera(size=48))["rgba"])
    with pytest.raises(ErlnetError, match="expressions"):
        renderer.render(still(head, expr=np.zeros(len(full) + 1)), camera())


def test_damaged_avatars_are_refused(tmp_path):
    whole = default_avatar_path().read_bytes()
    for name, data in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("text", b"hello" * 99)):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        with pytest.raises(ErlnetError, match="avatar"):
            Avatar.load(path)


@pytest.mark.parametrize(
    "change", [{"head_log2_table": 60}, {"levels": 2.5}, {"head_side": float("nan")}, {"mystery": 1}, {"hidden": 32}]
)
def test_avatars_with_senseless_sizes_are_refused(tmp_path, change):
    with safe_open(str(default_avatar_path()), "pt") as file:
        metadata, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata["field"] = json.dumps({**json.loads(metadata["field"]), **change})
    save_file(tensors, str(tmp_path / "a.safetensors"), metadata)
    with pytest.raises(ErlnetError, match="avatar"):
        Avatar.load(tmp_path / "a.safetensors")


def test_partition_leaves_each_branch_its_own(renderer):
    """The torso does not see the head's grid and the face does not see the static grid."""
    weight = renderer.mesh.constant[:, HEAD_WEIGHT][:, 0]
    assert (weight < 0.8).any()
    assert (weight > 0.95).any()
    head = HeadModel.load(default_head_path())
    other = AvatarRenderer(Avatar.load(default_avatar_path()), device="cpu")
    with torch.no_grad():
        other.field.static_grid.params.zero_()
        other.field.static_density.params.zero_()
    ours, changed = (which.render(still(head), camera())["rgba"] for which in (renderer, other))
    view = View.from_camera(camera())
    band = ray_band(renderer.mesh, renderer.mesh.frame(still(head)), view)
    edge = detailed_pixels(renderer.mesh, band, view)[band.pixel]
    share = weight[renderer.mesh.faces].amin(1)[band.face]
    face = np.zeros(96 * 96, bool)
    face[band.pixel[(share > 0.96) & ~band.double & ~edge].numpy()] = True
    torso = np.zeros(96 * 96, bool)
    torso[band.pixel[(share < 0.2) & band.solid].numpy()] = True
    difference = np.abs(ours - changed).max(-1).ravel()
    assert face.sum() > 500
    assert difference[face].max() < 1e-5
    assert difference[torso].mean() > 0.05


# Training


def write_capture(folder, head: HeadModel, mesh: DrivingMesh, count: int = 6, size: int = 48) -> None:
    """Pictures of the rough head, shaded by its normals."""
    random = np.random.default_rng(2)
    track = FaceTrack(random.uniform(0, 1, (count, 2)), 25, head.id, neck_pose=random.uniform(-0.3, 0.3, (count, 3)))
    (folder / "images").mkdir(parents=True)
    track.save(folder / "track.npz")
    entries = []
    for number in range(count):
        shot = camera(random.uniform(-30, 30), size)
        geometry = mesh.frame(track[number])
        band = ray_band(mesh, geometry, View.from_camera(shot))
        band = band[band.solid]
        normal = interpolate(geometry.table[:, 6:9], mesh.faces[band.face], band.barycentric)
        picture = np.zeros((size * size, 4), np.uint8)
        picture[band.pixel.numpy(), :3] = (normal.numpy() * 0.5 + 0.5).clip(0, 1) * 255
        picture[band.pixel.numpy(), 3] = 255
        Image.fromarray(picture.reshape(size, size, 4)).save(folder / f"images/{number:05d}.png")
        entries.append(frame_entry(f"images/{number:05d}.png", number, shot, "train"))
    (folder / "transforms.json").write_text(json.dumps({"frames": entries}))


def test_training_reduces_the_loss_and_resumes(tmp_path, rough):
    head, mesh = rough
    write_capture(tmp_path / "capture", head, mesh)
    options = {"head": head, "threads": 1, "rays": 512, "samples": 4, "report": lambda line: None}
    sizes = {
        "levels": 4,
        "mirror_waves": 1,
        "head_log2_table": 12,
        "static_log2_table": 12,
        "head_finest": 64,
        "static_finest": 64,
    }
    out = tmp_path / "avatar.safetensors"
    first = train(tmp_path / "capture", out, steps=10, sizes=sizes, **options)
    early = first.made["training"]["loss"]
    second = train(tmp_path / "capture", out, steps=150, resume=True, sizes=sizes, **options)
    assert second.made["training"]["steps"] == 150
    assert second.made["training"]["loss"] < 0.6 * early
    loaded = AvatarRenderer.load(out, head, "cpu")
    alpha = loaded.render(still(head), camera(0, 48))["rgba"][..., 3]
    truth = rasterize(mesh.frame(still(head)).table[:, :3], mesh.faces, View.from_camera(camera(0, 48))) >= 0
    assert np.abs(alpha.ravel() - truth.numpy()).mean() < 0.1


def test_training_refuses_what_it_cannot_use(tmp_path, rough):
    head, mesh = rough
    with pytest.raises(ErlnetError, match="capture"):
        train(tmp_path / "nothing", tmp_path / "out.safetensors", head=head)
    write_capture(tmp_path / "capture", head, mesh, 2)
    (tmp_path / "capture/images/00001.png").write_bytes(b"no picture")
    with pytest.raises(ErlnetError, match="picture"):
        train(tmp_path / "capture", tmp_path / "out.safetensors", steps=1, head=head, report=lambda line: None)
    assert not (tmp_path / "out.safetensors").exists()
    index = json.loads((tmp_path / "capture/transforms.json").read_text())
    index["frames"][0]["file_path"] = "../../secret.png"
    (tmp_path / "capture/transforms.json").write_text(json.dumps(index))
    with pytest.raises(ErlnetError, match="leaves the folder"):
        CaptureDataset.load(tmp_path / "capture")


def test_similarity_of_a_picture_with_itself_is_one():
    random = np.random.default_rng(0)
    picture = random.random((20, 30, 3))
    np.testing.assert_allclose(ssim_map(picture, picture), 1.0)
    assert ssim_map(picture, random.random((20, 30, 3))).mean() < 0.3
