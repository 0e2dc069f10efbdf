"""How the branches come together: the partition, its rivals, the head's own picture, appearance, files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.dbf_nerf.avatar import Avatar, default_avatar_path, new_field
from erlnet_blender.neural.dbf_nerf.canonical_rays import Frames, canonical_rays
from erlnet_blender.neural.dbf_nerf.driving_mesh import CANONICAL, HEAD_WEIGHT, POSED, DrivingMesh
from erlnet_blender.neural.dbf_nerf.field import HEAD_ONLY, STATIC_ONLY, DualBranchField, RadianceField, Samples
from erlnet_blender.neural.dbf_nerf.losses import image_errors, ownership, pixel_loss
from erlnet_blender.neural.dbf_nerf.rasterizer import View
from erlnet_blender.neural.dbf_nerf.ray_band import RayBand, interpolate, ray_band, sample_distances
from erlnet_blender.neural.dbf_nerf.render_rays import CENTIMETRES_PER_M, Pixels, render_rays
from erlnet_blender.neural.dbf_nerf.renderer import AvatarRenderer
from erlnet_blender.neural.dbf_nerf.volume_rendering import sample_weights

from .rough_head import rough_head
from .test_dbf_nerf import camera, still

SIZES = {
    "levels": 4, "head_log2_table": 10, "static_log2_table": 10, "base": 8, "head_finest": 64, "static_finest": 64,
    "hidden": 32, "code": 4, "features": 7,
}  # fmt: skip
VARIANTS = {
    "fused": {},
    "composite": {"branches": "composite"},
    "single": {"branches": "single"},
    "fused, no deform": {"deform": False},
    "composite, no deform, appearance": {"branches": "composite", "deform": False, "appearance": 3},
    "fused, appearance": {"appearance": 3},
    "single, appearance": {"branches": "single", "appearance": 2},
}
SAMPLES = 4
every_variant = pytest.mark.parametrize("switches", VARIANTS.values(), ids=VARIANTS)
HEAD = rough_head()


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def mesh_with_band(outward_m: float = 0.004, inward_m: float = 0.003) -> DrivingMesh:
    return DrivingMesh(HEAD, np.tile([outward_m, inward_m], (len(HEAD.v_template), 1)))


@pytest.fixture(scope="module")
def mesh() -> DrivingMesh:
    return mesh_with_band()


TRACK = still(HEAD, expr=[0.6, 0.3], neck_pose=[0.3, 0.3, 0.0], jaw_pose=[0.1, 0, 0])


def scene(mesh: DrivingMesh, size: int = 48) -> tuple[Frames, Tensor, RayBand]:
    geometry = mesh.frame(TRACK)
    view = View.from_camera(camera(15, size), geometry.root)
    band = ray_band(mesh, geometry, view)
    return Frames.stack([geometry], [view.origin]), torch.zeros(len(band), dtype=torch.int64), band


def field_of(mesh: DrivingMesh, switches: dict, seed: int = 0) -> RadianceField:
    """A field whose every part says something."""
    torch.manual_seed(seed)
    field = new_field(mesh, **{**SIZES, **switches})
    with torch.no_grad():
        for name, value in field.named_parameters():
            value.add_(torch.randn_like(value), alpha=0.3 if "grid" in name else 0.05)
    return field


def samples_of(mesh: DrivingMesh, size: int = 48) -> tuple[Samples, Tensor, Tensor]:
    """Samples as `render_rays` places them, with distance and length (N, S) in metres."""
    frames, frame, band = scene(mesh, size)
    rays, front = canonical_rays(mesh, frames, frame, band)
    distance, length, in_front = sample_distances(band, SAMPLES)
    own = torch.arange(len(band))[:, None].expand(-1, SAMPLES)
    hit = torch.where(in_front, front[:, None], own).reshape(-1)
    return Samples(rays, hit, distance.reshape(-1), frames.coefficients, frames.neck_pose), distance, length


# The partition


def test_shares_are_a_partition_with_a_narrow_overlap(mesh):
    field = field_of(mesh, {})
    assert isinstance(field, DualBranchField)
    samples, _, _ = samples_of(mesh)
    weight = samples.weight
    overlap = (weight > STATIC_ONLY) & (weight < HEAD_ONLY)
    assert min(int(overlap.sum()), int((weight >= HEAD_ONLY).sum()), int((weight <= STATIC_ONLY).sum())) > 50
    everywhere = torch.ones_like(overlap)
    with torch.no_grad():
        head, static = field.branches(samples, everywhere, everywhere)
        share = field.share(samples, head, static)
        fused = field.layers(samples).picture[0]
    assert (share[weight >= HEAD_ONLY] == 1).all()
    assert (share[weight <= STATIC_ONLY] == 0).all()
    assert ((share[overlap] > 0) & (share[overlap] < 1)).all()
    expected = share[:, None] * head + (1 - share)[:, None] * static
    torch.testing.assert_close(torch.cat([fused.density[:, None], fused.features], 1), expected)


@pytest.mark.parametrize(("weight", "alone"), [(STATIC_ONLY + 1e-3, 0.0), (HEAD_ONLY - 1e-3, 1.0)])
def test_learnt_overlap_meets_the_branches_without_a_step(mesh, weight, alone):
    field = field_of(mesh, {})
    assert isinstance(field, DualBranchField)
    samples, _, _ = samples_of(mesh)
    rays = replace(samples.rays, head_weight=torch.full_like(samples.rays.head_weight, weight))
    samples = replace(samples, rays=rays)
    everywhere = torch.ones(len(samples.hit), dtype=torch.bool)
    with torch.no_grad():
        share = field.share(samples, *field.branches(samples, everywhere, everywhere))
    assert (share - alone).abs().max() < 0.02
    assert len(share.unique()) > 100


def test_fused_branches_keep_to_their_own(mesh):
    """Below 0.8 nothing changes with the head branch's parameters, above 0.95 nothing with the static one's."""
    samples, _, _ = samples_of(mesh)
    rays, weight = samples.rays, samples.weight

    def look(field: RadianceField) -> Tensor:
        with torch.no_grad():
            layer = field.layers(samples).picture[0]
            about = field.about_hits(rays, samples.neck_pose)
            colour = field.colours(layer, torch.arange(len(weight)), about[samples.hit])
        return torch.cat([layer.density[:, None], layer.features, colour], 1)

    field = field_of(mesh, {})
    before = look(field)
    for parts, own, others in (
        (("head_grid", "head_density", "expression"), weight < STATIC_ONLY, weight > STATIC_ONLY + 0.05),
        (("static_grid", "static_density", "deform"), weight > HEAD_ONLY, weight < HEAD_ONLY - 0.05),
    ):
        changed = field_of(mesh, {})
        with torch.no_grad():
            for name, value in changed.named_parameters():
                if name.startswith(parts):
                    value.mul_(-0.7)
        after = look(changed)
        assert (after[own] == before[own]).all()
        assert (after[others] != before[others]).any(1).float().mean() > 0.99


# Every variant


@every_variant
def test_pictures_are_finite_and_deterministic(mesh, switches):
    field = field_of(mesh, switches)
    made = Avatar(field, np.tile([0.004, 0.003], (len(HEAD.v_template), 1)), HEAD.id, SAMPLES)
    renderer = AvatarRenderer(made, HEAD, "cpu")
    first, second = (renderer.render(TRACK, camera(15, 48)) for _ in range(2))
    assert all(np.isfinite(first[name]).all() for name in first)
    np.testing.assert_array_equal(first["rgba"], second["rgba"])
    alpha = first["rgba"][..., 3]
    assert alpha.max() > 0.8
    assert alpha.max() <= 1 + 1e-5
    assert (alpha[:4] == 0).all()


@every_variant
def test_gradients_reach_every_parameter(mesh, switches):
    field = field_of(mesh, switches)
    if field.config.appearance:
        field.learn_appearances(1)
    frames, frame, band = scene(mesh)
    jitter = torch.rand(len(band), SAMPLES)
    single = field.config.branches == "single"
    made = render_rays(field, mesh, frames, frame, band, SAMPLES, jitter, not single, field.appearances)
    target, background = torch.rand(len(band), 4), torch.rand(len(band), 3)
    loss, errors = pixel_loss(made, target, background, 0.0 if single else 0.5)
    loss.backward()
    assert errors.shape == (len(band),)
    assert not errors.requires_grad
    silent = [name for name, value in field.named_parameters() if value.grad is None or not value.grad.any()]
    assert silent == []
    assert all(value.grad.isfinite().all() for value in field.parameters() if value.grad is not None)


@every_variant
def test_saved_and_loaded_variants_render_alike(mesh, tmp_path, switches):
    made = Avatar(field_of(mesh, switches), np.tile([0.004, 0.003], (len(HEAD.v_template), 1)), HEAD.id, SAMPLES)
    made.save(tmp_path / "a.safetensors")
    loaded = Avatar.load(tmp_path / "a.safetensors")
    assert loaded.field.config == made.field.config
    loaded.save(tmp_path / "b.safetensors")
    pictures = [
        AvatarRenderer(avatar, HEAD, "cpu").render(TRACK, camera(15, 48))["rgba"]
        for avatar in (made, loaded, Avatar.load(tmp_path / "b.safetensors"))
    ]
    # The first loses half of its digits; what has lost them stays as it is.
    np.testing.assert_allclose(pictures[0], pictures[1], atol=0.02)
    np.testing.assert_array_equal(pictures[1], pictures[2])


@every_variant
def test_a_few_steps_fit_one_picture(mesh, switches):
    torch.manual_seed(0)
    field = new_field(mesh, **{**SIZES, **switches})
    if field.config.appearance:
        field.learn_appearances(1)
    frames, frame, band = scene(mesh, 64)
    normal = interpolate(frames.table[:, 6:9], mesh.faces[band.face], band.barycentric)
    target = torch.cat([normal * 0.5 + 0.5, torch.ones(len(band), 1)], 1).clamp(0, 1) * band.solid[:, None]
    optimizer = torch.optim.Adam(field.parameters(), lr=5e-3)
    head_only = 0.0 if field.config.branches == "single" else 0.3
    losses = []
    for _ in range(40):
        chosen = torch.randint(len(band), (400,))
        jitter, background = torch.rand(400, SAMPLES), torch.rand(400, 3)
        made = render_rays(
            field, mesh, frames, frame[chosen], band[chosen], SAMPLES, jitter, head_only > 0, field.appearances
        )
        loss, errors = pixel_loss(made, target[chosen], background, head_only)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(errors.mean()))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])


# The rivals


def test_composite_is_head_over_static():
    """Against the compositing of Porter and Duff, in double precision, sample by sample."""
    mesh = mesh_with_band(0.0006, 0.0006)  # thin, so that one is seen through the other
    field = field_of(mesh, VARIANTS["composite"])
    samples, distance, length = samples_of(mesh)
    frames, frame, band = scene(mesh)
    with torch.no_grad():
        got = render_rays(field, mesh, frames, frame, band, SAMPLES, torch.full((len(band), SAMPLES), 0.5))
        about = field.about_hits(samples.rays, samples.neck_pose)
        pictures = []
        for layer in field.layers(samples).picture:
            colour = field.colours(layer, torch.arange(len(samples.hit)), about[samples.hit])
            shape = (len(band), SAMPLES)
            density, colour = layer.density.view(shape).double().numpy(), colour.view(*shape, 3).double().numpy()
            opacity = 1 - np.exp(-density * length.double().numpy() * CENTIMETRES_PER_M)
            seen, clear = np.zeros((len(band), 5)), np.ones(len(band))
            for number in range(SAMPLES):
                part = clear * opacity[:, number]
                far = distance[:, number].double().numpy()
                seen += part[:, None] * np.c_[colour[:, number], np.ones(len(band)), far]
                clear *= 1 - opacity[:, number]
            pictures.append(seen)
    head, static = pictures
    expected = head + (1 - head[:, 3:4]) * static
    both = (head[:, 3] > 0.05) & (head[:, 3] < 0.9) & (static[:, 3] > 0.05)
    assert both.sum() > 30
    np.testing.assert_allclose(got.alpha.numpy(), expected[:, 3], atol=1e-5)
    np.testing.assert_allclose(got.colour.numpy(), expected[:, :3], atol=1e-5)
    solid = expected[:, 3] > 0.01
    np.testing.assert_allclose(got.depth.numpy()[solid], (expected[:, 4] / expected[:, 3])[solid], atol=1e-5)
    assert got.head_colour is not None
    assert got.head_alpha is not None
    np.testing.assert_allclose(got.head_colour.numpy(), head[:, :3], atol=1e-5)
    np.testing.assert_allclose(got.head_alpha.numpy(), head[:, 3], atol=1e-5)


def test_single_field_sees_the_head_at_rest(mesh):
    """All of the skinning is undone: each place that a ray hits comes to where it is on the still mesh."""
    frames, frame, band = scene(mesh)
    rays, _ = canonical_rays(mesh, frames, frame, band)
    solid = torch.nonzero(band.solid)[:, 0]
    corners, barycentric = mesh.faces[band.face[solid]], band.barycentric[solid]
    posed = interpolate(frames.table[:, POSED], corners, barycentric)
    distance = (posed - frames.origin[0]).norm(dim=1)
    there = rays.rest_origin[solid] + distance[:, None] * rays.rest_direction[solid]
    rest = interpolate(mesh.constant[:, CANONICAL], corners, barycentric)
    torch.testing.assert_close(there, rest, atol=2e-4, rtol=0)
    weight = interpolate(mesh.constant[:, HEAD_WEIGHT], corners, barycentric)
    assert ((weight > 0.1) & (weight < 0.9)).sum() > 50


def test_single_field_is_as_large_as_both_branches(mesh):
    sizes = {"levels": 8, "head_log2_table": 16, "static_log2_table": 15}
    both, one = (new_field(mesh, branches=branches, **sizes) for branches in ("fused", "single"))
    counted = [
        sum(len(value) for name, value in field.named_parameters() if "grid" in name) for field in (both, one)
    ]
    assert 2**-0.5 <= counted[1] / counted[0] <= 2**0.5


# The head's own picture


def test_head_alone_is_the_head_branch_without_the_rest(mesh):
    field = field_of(mesh, {})
    frames, frame, band = scene(mesh)
    samples, _, length = samples_of(mesh)
    with torch.no_grad():
        asked = render_rays(field, mesh, frames, frame, band, SAMPLES, None, True)
        plain = render_rays(field, mesh, frames, frame, band, SAMPLES)
        head, _ = field.branches(samples, samples.weight > STATIC_ONLY, samples.weight < HEAD_ONLY)
    assert plain.head_colour is None
    assert plain.head_alpha is None
    assert (asked.colour == plain.colour).all()
    assert asked.head_weight is not None
    assert asked.head_alpha is not None
    assert asked.head_colour is not None
    weights = sample_weights(head[:, 0].view(len(band), SAMPLES), length * CENTIMETRES_PER_M)
    torch.testing.assert_close(asked.head_alpha, weights.sum(1))
    owned = (asked.head_weight >= HEAD_ONLY).all(1)
    torch.testing.assert_close(asked.head_colour[owned], asked.colour[owned])
    assert not asked.head_alpha[(asked.head_weight <= STATIC_ONLY).all(1)].any()
    # Between, it is another picture than the fused one, of the head branch alone.
    between = ((asked.head_weight > STATIC_ONLY + 0.02) & (asked.head_weight < HEAD_ONLY - 0.02)).all(1)
    assert (asked.head_colour - asked.colour)[between].abs().amax(1).median() > 1e-3


def test_who_owns_a_pixel():
    head_weight = torch.tensor([[0.1, 0.1], [0.85, 0.85], [0.925, 0.925], [1, 1], [0.3, 1.0], [0.96, 0.99]])
    owned, certainty = ownership(head_weight)
    assert owned[[2, 3, 5]].all()
    assert not owned[[0, 1, 4]].any()
    torch.testing.assert_close(certainty, torch.tensor([1.0, 0.5, 0.5, 1.0, 0.0, 1.0]))


def test_head_only_loss_wants_the_truth_or_nothing():
    target = torch.tensor([[0.5, 0.2, 0.1, 1.0]] * 3)
    background = torch.rand(3, 3)
    weights = torch.tensor([[1.0, 1.0], [0.2, 0.2], [0.3, 1.0]])  # the head's, the neck's, the chin's shell before it
    colour, alpha = target[:, :3], target[:, 3]

    def loss(head_rgba: Tensor) -> float:
        made = Pixels(colour, alpha, alpha, head_rgba[:, :3], head_rgba[:, 3], weights)
        value, errors = pixel_loss(made, target, background, 0.5)
        assert not errors.any()
        return float(value)

    right = torch.stack([target[0], torch.zeros(4), torch.rand(4)])
    assert loss(right) == 0
    wrong = right.clone()
    wrong[0] = 0
    expected = image_errors(wrong[:1, :3], wrong[:1, 3], target[:1], background[:1])
    assert loss(wrong) == pytest.approx(0.5 * float(expected) / 3)
    wrong = right.clone()
    wrong[1] = target[1]
    expected = image_errors(target[:1, :3], target[:1, 3], torch.zeros(1, 4), background[1:2])
    assert loss(wrong) == pytest.approx(0.5 * float(expected) / 3)


# Appearance


def test_appearance_is_each_frame_s_own_and_the_file_has_the_mean(mesh, tmp_path):
    field = field_of(mesh, {"appearance": 3})
    field.learn_appearances(2)
    assert field.appearances is not None
    assert not field.mean_appearance().any()
    with torch.no_grad():
        field.appearances.copy_(torch.tensor([[1.0, 0.5, -2.0], [-3.0, 1.5, 0.0]]))
    frames, frame, band = scene(mesh)
    both = Frames.stack([mesh.frame(TRACK)] * 2, [frames.origin[0]] * 2)

    def colour(frame: Tensor, appearance: Tensor | None) -> Tensor:
        with torch.no_grad():
            return render_rays(field, mesh, both, frame, band, SAMPLES, None, False, appearance).colour

    first, second = colour(frame, field.appearances), colour(frame + 1, field.appearances)
    assert (first - second).abs().max() > 0.01
    mean = torch.tensor([[-1.0, 1.0, -1.0]])
    between = colour(frame, mean.expand(2, -1))
    assert (between == colour(frame, None)).all()
    made = Avatar(field, np.tile([0.004, 0.003], (len(HEAD.v_template), 1)), HEAD.id, SAMPLES)
    made.save(tmp_path / "a.safetensors")
    loaded = Avatar.load(tmp_path / "a.safetensors")
    assert loaded.field.appearances is None
    torch.testing.assert_close(loaded.field.mean_appearance()[None], mean)
    # A fine-tune starts from there.
    loaded.field.learn_appearances(5)
    torch.testing.assert_close(loaded.field.mean_appearance()[None], mean)


# Files


def test_avatar_of_an_older_format_renders_as_ever():
    """The file and its picture were made before there were variants."""
    file = Path(__file__).with_name("avatar_before_variants.safetensors")
    with safe_open(str(file), "pt") as opened:
        assert "branches" not in json.loads(opened.metadata()["field"])
    renderer = AvatarRenderer.load(file, HEAD, "cpu")
    assert renderer.avatar.field.config.branches == "fused"
    track = still(HEAD, expr=[0.6, 0.3], neck_pose=[0.1, 0.3, 0], jaw_pose=[0.1, 0, 0])
    picture, _ = renderer.render_encoded(track, camera(15, 32))
    np.testing.assert_allclose(picture.numpy(), np.load(file.with_suffix(".npy")), atol=1e-6)


def test_shipped_avatar_is_fused():
    config = Avatar.load(default_avatar_path()).field.config
    assert (config.branches, config.deform) == ("fused", True)


@pytest.mark.parametrize("change", [{"branches": "sum"}, {"deform": 1}, {"appearance": -1}, {"branches": "single"}])
def test_senseless_switches_are_refused(mesh, tmp_path, change):
    Avatar(field_of(mesh, {}), np.zeros((9, 2)), HEAD.id).save(tmp_path / "a.safetensors")
    with safe_open(str(tmp_path / "a.safetensors"), "pt") as file:
        metadata, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata["field"] = json.dumps({**json.loads(metadata["field"]), **change})
    save_file(tensors, str(tmp_path / "b.safetensors"), metadata)
    with pytest.raises(ErlnetError, match="avatar"):
        Avatar.load(tmp_path / "b.safetensors")


def test_appearance_that_is_no_number_is_refused(mesh, tmp_path):
    field = field_of(mesh, {"appearance": 2})
    field.learn_appearances(3)
    assert field.appearances is not None
    with torch.no_grad():
        field.appearances[1, 0] = float("nan")
    Avatar(field, np.zeros((9, 2)), HEAD.id).save(tmp_path / "a.safetensors")
    with pytest.raises(ErlnetError, match="NaN"):
        Avatar.load(tmp_path / "a.safetensors")
