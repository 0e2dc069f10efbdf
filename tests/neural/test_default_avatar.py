"""What a face detector that never saw our head makes of the shipped avatar, and whether it obeys the rig."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from erlnet_blender.camera import Camera
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.neural.dbf_nerf.driving_mesh import EYES, mask
from erlnet_blender.neural.dbf_nerf.evaluation import over_grey
from erlnet_blender.neural.dbf_nerf.rasterizer import View
from erlnet_blender.neural.dbf_nerf.ray_band import ray_band
from erlnet_blender.neural.dbf_nerf.renderer import AvatarRenderer

UPPER_LIP, LOWER_LIP, RIGHT_EYE, LEFT_EYE = 13, 14, 33, 263
SIZE = 256


def portrait(yaw_deg: float = 0.0) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("Y", yaw_deg, degrees=True).as_matrix()
    pose[:3, 3] = 0.95 * pose[:3, 2] + [0, -0.035, -0.03]
    focal = 85 / 36 * SIZE
    return Camera(pose, focal, focal, SIZE / 2, SIZE / 2, SIZE, SIZE)


def photograph(renderer: AvatarRenderer, head: HeadModel, camera: Camera, **channels: object) -> np.ndarray:
    """(H, W, 3) uint8 over grey."""
    values = {name: np.asarray([value], np.float32) for name, value in channels.items()}
    expr = values.pop("expr", np.zeros((1, head.expressiondirs.shape[-1])))
    encoded, _ = renderer.render_encoded(FaceTrack(expr, 25, head.id, **values), camera)
    return np.round(255 * over_grey(encoded.numpy().astype(float))).astype(np.uint8)


def test_face_detector_reads_the_jaw(renderer, head):
    face_mesh = pytest.importorskip("mediapipe.python.solutions.face_mesh")
    jaws = np.radians([0, 4, 8, 12, 16, 20])
    openings = []
    with face_mesh.FaceMesh(static_image_mode=True, min_detection_confidence=0.9) as detector:
        for number, jaw in enumerate(jaws):
            picture = photograph(renderer, head, portrait(3.0 * (number - 2)), jaw_pose=[jaw, 0, 0])
            found = detector.process(picture).multi_face_landmarks
            assert found, f"no face at jaw {np.degrees(jaw):.0f} degrees"
            points = np.array([[point.x, point.y] for point in found[0].landmark])
            eyes = np.linalg.norm(points[LEFT_EYE] - points[RIGHT_EYE])
            openings.append(np.linalg.norm(points[UPPER_LIP] - points[LOWER_LIP]) / eyes)
    assert np.corrcoef(jaws, openings)[0, 1] > 0.95
    assert openings[-1] - openings[0] > 0.15


def test_gaze_moves_the_iris(renderer, head):
    """The dark of the irises moves to the side that the eyes turn to."""
    camera = portrait()
    track = FaceTrack(np.zeros((1, head.expressiondirs.shape[-1])), 25, head.id)
    band = ray_band(renderer.mesh, renderer.mesh.frame(track), View.from_camera(camera))
    eyeball = torch.as_tensor(renderer.mesh.part == EYES)[band.face] & band.solid
    rows, columns = np.divmod(band.pixel[eyeball].numpy(), SIZE)
    left = columns > SIZE / 2  # the head's own left, on the right of its picture
    centres = []
    for yaw in (-0.3, 0.0, 0.3):
        picture = photograph(renderer, head, camera, eyes_pose=[0, yaw, 0, 0, yaw, 0]).astype(float).mean(-1)
        dark = np.clip(picture[rows, columns].max() - picture[rows, columns], 0, None) ** 2
        centres.append([np.average(columns[side], weights=dark[side]) for side in (left, ~left)])
    steps = np.diff(centres, axis=0)
    assert (steps > 0.5).all(), centres


def test_eyelids_hide_the_eyes(renderer, head):
    camera = portrait()
    opened, shut = (photograph(renderer, head, camera, eyelids=[lid, lid]).astype(float) / 255 for lid in (0.0, 1.0))
    track = FaceTrack(np.zeros((1, head.expressiondirs.shape[-1])), 25, head.id)
    band = ray_band(renderer.mesh, renderer.mesh.frame(track), View.from_camera(camera))
    eyeball = band.pixel[torch.as_tensor(renderer.mesh.part == EYES)[band.face] & band.solid].numpy()
    region = torch.as_tensor(mask(head, "eye_region"))[renderer.mesh.source][renderer.mesh.faces].any(1)
    near = band.pixel[region[band.face]].numpy()
    change = np.abs(opened - shut).mean(-1).ravel()
    assert change[eyeball].mean() > 0.04
    rest = np.ones(SIZE * SIZE, bool)
    rest[near] = rest[eyeball] = False
    assert change[rest].mean() < 0.002
    # Shut lids look like the skin round them: less spread of brightness than iris and white.
    assert shut.mean(-1).ravel()[eyeball].std() < 0.8 * opened.mean(-1).ravel()[eyeball].std()
