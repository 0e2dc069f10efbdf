"""Movies and pictures written without a window, with Cycles as the engine: they do not depend on ours."""

import wave

import av
import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.scene import movie

FRAMES, FPS, RATE_HZ = 10, 25, 16000


@pytest.fixture
def scene(tmp_path):
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.fps = FPS
    scene.frame_start, scene.frame_end = 1, FRAMES
    movie.set_size(scene, 32, 32)
    tone = (np.sin(np.arange(RATE_HZ) * 2 * np.pi * 440 / RATE_HZ) * 20000).astype("<i2")
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(tone.tobytes())
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_sound("tone", str(tmp_path / "tone.wav"), 1, 1)
    return scene


def test_movie_has_one_picture_and_one_sound_stream_of_the_same_length(scene, tmp_path):
    done = []
    movie.render_movie(scene, tmp_path / "out.mp4", lambda count, total: done.append((count, total)))
    assert done == [(count, FRAMES) for count in range(1, FRAMES + 1)]
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert video.average_rate == FPS
        sound = float(audio.duration * audio.time_base)
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio)])
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert sum(1 for _ in file.decode(file.streams.video[0])) == FRAMES
    assert sound == pytest.approx(FRAMES / FPS, abs=1 / FPS)
    assert np.abs(samples).max() > 0.3, "the strip is heard"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".mp4"] == ["out.mp4"]


def test_odd_size_is_refused_with_the_even_one(scene, tmp_path):
    movie.set_size(scene, 33, 32)
    with pytest.raises(ErlnetError, match="use 34x32"):
        movie.render_movie(scene, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_pictures_are_numbered_and_the_range_is_kept(scene, tmp_path):
    movie.set_frames(scene, 3, 5)
    written = movie.render_pictures(scene, tmp_path / "pictures")
    assert [path.name for path in written] == ["0003.png", "0004.png", "0005.png"]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [path.name for path in written]


def test_saved_scene_opens_elsewhere_with_its_sound(scene, tmp_path):
    (tmp_path / "here").mkdir()
    movie.save_scene(tmp_path / "here" / "scene.blend")
    (tmp_path / "tone.wav").unlink()
    moved = (tmp_path / "here").rename(tmp_path / "there")
    opened = movie.open_scene(moved / "scene.blend")
    assert [path.name for path in moved.iterdir()] == ["scene.blend"]
    (sound,) = bpy.data.sounds
    assert sound.packed_file is not None
    assert sound.filepath == "//tone.wav"
    movie.render_movie(opened, moved / "out.mp4")
    with av.open(str(moved / "out.mp4")) as file:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(file.streams.audio[0])])
    assert np.abs(samples).max() > 0.3


def test_files_that_are_no_scene_are_refused(tmp_path):
    (tmp_path / "text.blend").write_text("not a scene")
    (tmp_path / "cut.blend").write_bytes(b"BLENDER-v405")
    for name in ("missing.blend", "text.blend", "cut.blend"):
        with pytest.raises(ErlnetError, match=name):
            movie.open_scene(tmp_path / name)
