import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import CHANNELS, FaceTrack


def make_track(frames=7, expressions=5, seed=0):
    rng = np.random.default_rng(seed)
    channels = {name: rng.normal(size=(frames, width or expressions)) for name, width in CHANNELS.items()}
    return FaceTrack(**channels, fps=25, head_id="test", shape=rng.normal(size=4), source='{"made_by": "a test"}')


def test_track_survives_saving(tmp_path):
    track = make_track()
    track.save(tmp_path / "a track.npz")
    loaded = FaceTrack.load(tmp_path / "a track.npz")
    for name, value in track.arrays().items():
        np.testing.assert_array_equal(loaded.arrays()[name], value)
    assert loaded.duration_s == 7 / 25


def test_missing_channels_are_zero():
    track = FaceTrack(expr=np.ones((3, 2)), fps=25, head_id="test")
    assert {name: getattr(track, name).shape for name in CHANNELS} == {
        name: (3, width or 2) for name, width in CHANNELS.items()
    }


def test_slices_keep_everything_together():
    track = make_track()
    assert len(track[2]) == 1
    np.testing.assert_array_equal(track[-1].jaw_pose[0], track.jaw_pose[6])
    np.testing.assert_array_equal(track[2:4].eyelids, track.eyelids[2:4])
    with pytest.raises(IndexError):
        track[7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jaw_pose": np.zeros((2, 3))}, "jaw_pose"),
        ({"expr": np.full((7, 5), np.nan)}, "NaN"),
        ({"fps": 0}, "Frame rate"),
    ],
)
def test_bad_channels_are_named(change, message):
    arrays = {**make_track().arrays(), **change}
    with pytest.raises(ErlnetError, match=message):
        FaceTrack.from_arrays(arrays)


def test_bad_files_get_one_sentence(tmp_path):
    (tmp_path / "text.npz").write_text("not a zip")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "objects.npz", expr=np.array([{}], dtype=object))
    for name in ("none.npz", "text.npz", "other.npz", "objects.npz"):
        with pytest.raises(ErlnetError) as caught:
            FaceTrack.load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "track.npz"
    make_track().save(path)
    before = path.read_bytes()

    def full_disk(file, **_):
        file.write(b"half of a")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space"):
        make_track(seed=1).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["track.npz"]
