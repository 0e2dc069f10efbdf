"""The renderer's ablation: errors as large as said, each run once."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from benchmarks.dbf_nerf_ablation import Ablation, disturbed
from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack

from .test_dbf_nerf import write_capture
from .test_fusion import HEAD, SIZES, mesh_with_band

torch.set_num_threads(1)


def test_pose_errors_are_as_large_as_said_and_of_training_frames_alone():
    random = np.random.default_rng(0)
    track = FaceTrack(np.zeros((900, 2)), 25, "any", neck_pose=random.uniform(-0.5, 0.5, (900, 3)))
    frames = list(range(0, 900, 3))
    off = disturbed(track, frames, 1.0, 0.002, 5)
    turns = Rotation.from_rotvec(off.neck_pose) * Rotation.from_rotvec(track.neck_pose).inv()
    error_deg = np.degrees(turns.as_rotvec())[frames]
    np.testing.assert_allclose(error_deg.std(0), 1.0, atol=0.15)
    np.testing.assert_allclose((off.translation - track.translation)[frames].std(0), 0.002, atol=3e-4)
    others = np.setdiff1d(np.arange(900), frames)
    np.testing.assert_array_equal(off.neck_pose[others], track.neck_pose[others])
    np.testing.assert_array_equal(off.translation[others], track.translation[others])
    np.testing.assert_array_equal(off.neck_pose, disturbed(track, frames, 1.0, 0.002, 5).neck_pose)
    assert (off.neck_pose[frames] != disturbed(track, frames, 1.0, 0.002, 6).neck_pose[frames]).all()


def test_ablation_does_each_run_once(tmp_path):
    mesh, capture = mesh_with_band(), tmp_path / "capture"
    write_capture(capture, HEAD, mesh, 3)
    index = json.loads((capture / "transforms.json").read_text())
    index["frames"][-1]["split"] = "test"
    (capture / "transforms.json").write_text(json.dumps(index))
    said: list[str] = []
    options = {"threads": 1, "rays": 64, "samples": 2, "sizes": SIZES}

    def tables(seeds: list[int]) -> str:
        ablation = Ablation(capture, tmp_path / "a.json", 2, (1.0, 0.002), options, HEAD, said.append)
        return ablation.tables(["fused", "single"], seeds)

    first = tables([0])
    runs = json.loads((tmp_path / "a.json").read_text())["runs"]
    assert len(runs) == 4
    assert sum(line.startswith("==") for line in said) == 4
    assert len({run["test"]["psnr_full"] for run in runs.values()}) == 4
    said.clear()
    assert tables([0]) == first
    assert said == []
    assert " ± " in tables([0, 1])
    assert sum(line.startswith("==") for line in said) == 4
    # The capture itself is as it was.
    again = tmp_path / "again"
    write_capture(again, HEAD, mesh, 3)
    kept, fresh = (FaceTrack.load(folder / "track.npz") for folder in (capture, again))
    np.testing.assert_array_equal(kept.neck_pose, fresh.neck_pose)
    with pytest.raises(ErlnetError, match="figures of"):
        Ablation(again, tmp_path / "a.json", 2, (0, 0))
