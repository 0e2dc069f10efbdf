"""Render a scene's frames without a window: a movie with the sequencer's sound, or numbered pictures."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from ..errors import ErlnetError
from ..formats.atomic import atomic_path

# Called with the number of frames done and of all frames.
FramesDone = Callable[[int, int], None]


def open_scene(path: Path) -> bpy.types.Scene:
    """Open a .blend without running its scripts; its active scene.

    Raises:
        ErlnetError: it is missing, or not a file that this Blender can read.
    """
    if not path.is_file():
        raise ErlnetError("No such scene", path, "check the path")
    with path.open("rb") as file:
        start = file.read(7)
    # "BLENDER", or its compressed forms: zstd, and gzip before 3.0.
    if not start.startswith((b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")):
        raise ErlnetError("Not a .blend file", path, "choose a scene saved by Blender")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=False, load_ui=False)
    except RuntimeError as error:
        raise ErlnetError(f"Blender cannot open the scene ({error})", path, "save it again") from error
    return bpy.context.scene


def save_scene(path: Path) -> None:
    """Save the open scene so that it opens on another machine: sounds are packed, paths are relative.

    Raises:
        ErlnetError: the file cannot be written.
    """
    for sound in bpy.data.sounds:
        if sound.packed_file is None:
            sound.pack()
            sound.filepath = f"//{Path(bpy.path.abspath(sound.filepath)).name}"
    bpy.context.preferences.filepaths.save_version = 0  # no backup of the temporary file
    with atomic_path(path) as temporary:
        # Saved under its own name first, Blender would keep the temporary file's name in relative paths.
        bpy.ops.wm.save_as_mainfile(filepath=str(temporary), copy=True, compress=True, relative_remap=True)


def set_frames(scene: bpy.types.Scene, first: int | None, last: int | None) -> int:
    """Narrow the scene's range; how many frames will be rendered, at least one (Blender sees to that)."""
    if first is not None:
        scene.frame_start = first
    if last is not None:
        scene.frame_end = last
    scene.frame_step = 1
    return scene.frame_end - scene.frame_start + 1


def set_size(scene: bpy.types.Scene, width: int, height: int) -> None:
    """Render at exactly this size."""
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100


def frame_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """(width, height) of the frames that will be written, in pixels."""
    render = scene.render
    percentage = render.resolution_percentage
    width, height = render.resolution_x * percentage // 100, render.resolution_y * percentage // 100
    if render.use_border and render.use_crop_to_border:
        width = int(width * render.border_max_x) - int(width * render.border_min_x)
        height = int(height * render.border_max_y) - int(height * render.border_min_y)
    return width, height


def render_movie(scene: bpy.types.Scene, path: Path, done: FramesDone | None = None) -> None:
    """Render the scene's range to an H.264 movie with AAC sound from its sequencer.

    Raises:
        ErlnetError: the size is odd, which H.264 cannot store, or the file cannot be written.
        RuntimeError: the engine reported an error.
    """
    width, height = frame_size(scene)
    if width % 2 or height % 2:
        even = f"{width + width % 2}x{height + height % 2}"
        raise ErlnetError(f"A movie of {width}x{height} pixels has an odd side", path, f"use {even}, or write pictures")
    with atomic_path(path) as temporary, _restored(scene):
        _set_format(scene, "VIDEO", "FFMPEG")
        movie = scene.render.ffmpeg
        movie.format, movie.codec, movie.constant_rate_factor = "MPEG4", "H264", "HIGH"
        movie.gopsize, movie.ffmpeg_preset = 12, "GOOD"
        movie.audio_codec, movie.audio_bitrate = "AAC", 192
        scene.render.filepath = str(temporary)
        scene.render.use_overwrite, scene.render.use_file_extension = True, True
        _render_animation(scene, done)
        if temporary.stat().st_size == 0:
            raise RuntimeError("Blender wrote no movie")


def render_pictures(scene: bpy.types.Scene, folder: Path, done: FramesDone | None = None) -> list[Path]:
    """Render the scene's range to ``folder/0001.png`` …; the files. A frame is whole or not there.

    Raises:
        ErlnetError: the folder cannot be written to.
        RuntimeError: the engine reported an error.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".render.", dir=folder) as temporary, _restored(scene):
            _set_format(scene, "IMAGE", "PNG")
            scene.render.image_settings.color_mode = "RGBA" if scene.render.film_transparent else "RGB"
            scene.render.filepath = f"{temporary}/####"
            scene.render.use_overwrite, scene.render.use_placeholder = True, False

            def frame_written(count: int, total: int) -> None:
                for picture in sorted(Path(temporary).glob("*.png")):
                    written.append(picture.replace(folder / picture.name))
                if done is not None:
                    done(count, total)

            _render_animation(scene, frame_written)
    except OSError as error:
        what = f"Cannot write ({error.strerror or error})"
        raise ErlnetError(what, folder, "choose a folder that you may write to") from error
    return written


def _set_format(scene: bpy.types.Scene, media_type: str, file_format: str) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and later
        settings.media_type = media_type
    settings.file_format = file_format


def _render_animation(scene: bpy.types.Scene, done: FramesDone | None) -> None:
    total, count = scene.frame_end - scene.frame_start + 1, 0

    def frame_written(*_) -> None:
        nonlocal count
        count += 1
        if done is not None:
            done(count, total)

    bpy.app.handlers.render_write.append(frame_written)
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    finally:
        bpy.app.handlers.render_write.remove(frame_written)


@contextlib.contextmanager
def _restored(scene: bpy.types.Scene) -> Iterator[None]:
    """Put the scene's output path back afterwards."""
    path = scene.render.filepath
    try:
        yield
    finally:
        scene.render.filepath = path
