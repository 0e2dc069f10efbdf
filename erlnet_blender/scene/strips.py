"""Sound strips of the sequencer, Blender 4.2 to 5.x: which there are, and what of which file each plays.

Names differ: `sequences` became `strips` in 4.4, `frame_final_start` became `left_handle` in 5.1, and
from 5.0 the sequencer may show another scene than the viewport.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import bpy

from ..errors import ErlnetError
from ..formats.atomic import write_bytes


@dataclass(frozen=True)
class Place:
    """Where a recording lies in a scene.

    Args:
        zero_frame: the frame at which its first sample is, or would be.
        fps: frames of the scene in one second of the recording.
    """

    zero_frame: float
    fps: float

    def frame_of(self, time_s):
        """The frame at which a moment of the recording is heard."""
        return self.zero_frame + time_s * self.fps

    def time_of(self, frame):
        """The moment of the recording that is heard at a frame, seconds."""
        return (frame - self.zero_frame) / self.fps


@dataclass(frozen=True)
class AudioClip:
    """The part of an audio file that a strip plays.

    Args:
        name: of the strip.
        path: of the audio file.
        start_s: where in the file the strip begins to play, seconds of the recording.
        duration_s: how much of the recording it plays, seconds.
        start_frame: the whole scene frame at which it begins.
        is_muted: whether the strip is silent in the sequencer; it can be baked all the same.
        place: where the recording lies in the scene.
        scene_name, scene_fps: the scene whose sequencer has the strip, and how many frames a second it has.
    """

    name: str
    path: Path
    start_s: float
    duration_s: float
    start_frame: float
    is_muted: bool
    place: Place
    scene_name: str
    scene_fps: float

    @property
    def speed(self) -> float:
        """Seconds of the recording in one second of the scene; 2 is twice as fast."""
        return self.scene_fps / self.place.fps

    @property
    def frames(self) -> int:
        """How many frames of the scene it takes, the last perhaps in part."""
        return math.ceil(self.duration_s * self.place.fps - 1e-6)


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer the user sees."""
    return getattr(context, "sequencer_scene", None) or context.scene


def speech_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose voice is baked: the one in view if it has sound, else the sequencer's."""
    return context.scene if sound_strips(context.scene) else sequencer_scene(context)


def sound_strips(scene: bpy.types.Scene) -> list:
    """Every sound strip of a scene's sequencer, in the order of time, those inside meta strips too."""
    return sorted((strip for strip in _all_strips(scene) if strip.type == "SOUND"), key=left_handle)


def _all_strips(scene: bpy.types.Scene) -> list:
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def _metas_around(strip, scene: bpy.types.Scene) -> list:
    """The meta strips that the strip lies in, the innermost first."""
    around, inside = [], strip
    metas = [other for other in _all_strips(scene) if other.type == "META"]
    while inside is not None:
        name = inside.name
        inside = next((meta for meta in metas if name in _strips_in(meta)), None)
        if inside is not None:
            around.append(inside)
    return around


def _strips_in(holder):
    """The strips of a sequencer, or of a meta strip."""
    return holder.strips if hasattr(holder, "strips") else holder.sequences


def find_strip(scene: bpy.types.Scene, name: str = ""):
    """The sound strip of that name; with no name the active one, else the only one.

    Raises:
        ErlnetError: there is none, or it is not clear which is meant.
    """
    strips = sound_strips(scene)
    if not strips:
        raise ErlnetError("There is no sound strip in the sequencer", "", "add a voice recording first")
    if name:
        for strip in strips:
            if strip.name == name:
                return strip
        raise ErlnetError("There is no sound strip of this name", name, "choose another strip in the Voice panel")
    editor = scene.sequence_editor
    active = editor.active_strip
    if active is not None and active.type == "SOUND":
        return active
    if len(strips) == 1:
        return strips[0]
    raise ErlnetError(f"There are {len(strips)} sound strips", "", "choose one in the Voice panel")


def picture_strip(scene: bpy.types.Scene) -> str:
    """The name of a strip whose picture Blender would render instead of the scene; empty if there is none."""
    editor = scene.sequence_editor
    if editor is None or not scene.render.use_sequencer:
        return ""
    return next((strip.name for strip in _strips_in(editor) if _shows_picture(strip)), "")


def _shows_picture(strip) -> bool:
    if strip.type == "META":
        return not strip.mute and any(_shows_picture(inner) for inner in _strips_in(strip))
    return strip.type != "SOUND" and not strip.mute


def left_handle(strip) -> float:
    """First frame that the strip plays."""
    return float(strip.left_handle if hasattr(strip, "left_handle") else strip.frame_final_start)


def right_handle(strip) -> float:
    """The frame after the last that the strip plays."""
    return float(strip.right_handle if hasattr(strip, "right_handle") else strip.frame_final_end)


def place_of(strip, scene: bpy.types.Scene) -> Place:
    """Where the strip has the recording; what its handles cut off makes no difference.

    Raises:
        ErlnetError: its speed changes on the way, or the file of a retimed strip is missing.
    """
    fps = scene.render.fps / scene.render.fps_base
    # A hard trim cuts the content itself: the rest then begins at the content's start.
    trim = float(strip.content_trim_start if hasattr(strip, "content_trim_start") else strip.animation_offset_start)
    speed = _speed_of(strip, fps, trim)
    zero_frame = _content_start(strip) + getattr(strip, "sound_offset", 0.0) * fps - trim
    return Place(zero_frame, fps / speed)


def clip_of(strip, scene: bpy.types.Scene) -> AudioClip:
    """What the strip plays: inside meta strips what these leave of it, at its own speed.

    Raises:
        ErlnetError: its file is missing, its speed changes on the way, or nothing of it plays.
    """
    metas, place, path = _metas_around(strip, scene), place_of(strip, scene), sound_path(strip.sound)
    # Where the strip is pulled out before its content, silence comes first. Tracks begin on whole frames.
    start_frame = float(math.ceil(max(place.zero_frame, *map(left_handle, (strip, *metas))) - 1e-6))
    end_frame = min(_content_end(strip), *map(right_handle, (strip, *metas)))
    if end_frame <= start_frame:
        raise ErlnetError("The strip plays nothing of its sound", strip.name, "drag its handles over the recording")
    start_s, duration_s = place.time_of(start_frame), (end_frame - start_frame) / place.fps
    is_muted = any(part.mute for part in (strip, *metas)) or _is_channel_muted(strip, scene, metas)
    scene_fps = scene.render.fps / scene.render.fps_base
    whose = (scene.name, scene_fps)
    return AudioClip(strip.name, path, max(0.0, start_s), duration_s, start_frame, is_muted, place, *whose)


def _content_start(strip) -> float:
    return float(strip.content_start if hasattr(strip, "content_start") else strip.frame_start)


def _content_end(strip) -> float:
    keys = list(getattr(strip, "retiming_keys", ()))
    if keys:
        return float(keys[-1].timeline_frame)
    frames = strip.content_duration if hasattr(strip, "content_duration") else strip.frame_duration
    return _content_start(strip) + float(frames)


def _is_channel_muted(strip, scene: bpy.types.Scene, metas: list) -> bool:
    holders = [*metas, scene.sequence_editor]
    return any(holder.channels[inner.channel].mute for inner, holder in zip((strip, *metas), holders, strict=True))


def _speed_of(strip, fps: float, trim: float) -> float:
    """How fast the strip plays. Blender tells where the keys of a retiming are, but not what of the content is there:
    with two, they hold the content's ends.

    Raises:
        ErlnetError: the speed changes on the way, or the content is trimmed (by a script) as well, or the file is
            missing.
    """
    keys = [key.timeline_frame for key in getattr(strip, "retiming_keys", ())]
    if not keys:
        return 1.0
    remedy = "choose Strip > Retiming > Reset Retiming and give it one speed, or render it to a new file"
    if len(keys) != 2 or keys[1] <= keys[0] or trim:
        raise ErlnetError("The strip's speed changes on the way (retiming)", strip.name, remedy)
    path = sound_path(strip.sound)
    length_s = _length_s(path, path.stat().st_mtime_ns)
    if not length_s:
        raise ErlnetError("The strip is retimed, and the length of its sound is unknown", strip.name, remedy)
    return length_s * fps / (keys[1] - keys[0])


@lru_cache(maxsize=64)
def _length_s(path: Path, _stamp: int) -> float:
    """How long a sound file is, 0 if Blender cannot tell."""
    try:
        import aud
    except ImportError:  # Blender's module for Python may be built without sound
        return 0.0
    try:
        sound = aud.Sound(str(path))
        return max(0.0, sound.length / sound.specs[0])
    except aud.error:
        return 0.0


def sound_path(sound: bpy.types.Sound | None) -> Path:
    """The file of a sound; a packed sound is written to Blender's temporary folder.

    Raises:
        ErlnetError: there is no such file.
    """
    if sound is None:
        raise ErlnetError("The strip has no sound", "", "choose a file for it")
    path = Path(bpy.path.abspath(sound.filepath, library=sound.library))
    if sound.packed_file is not None:
        data = sound.packed_file.data
        name = f"erlnet_{hashlib.sha256(data).hexdigest()[:16]}{path.suffix or '.wav'}"
        unpacked = Path(bpy.app.tempdir) / name
        if not unpacked.is_file():
            write_bytes(unpacked, data)
        return unpacked
    if not path.is_file():
        raise ErlnetError("The sound file is missing", path, "find it with File > External Data > Find Missing Files")
    return path


def add_sound_strip(scene: bpy.types.Scene, path: str | Path, start_frame: int | None = None):
    """Put an audio file on a free channel of the sequencer, its waveform shown, and return its strip.

    Raises:
        ErlnetError: there is no such file, or Blender cannot read it.
    """
    path = Path(path)
    if not path.is_file():
        raise ErlnetError("No such audio file", path, "check the path")
    editor = scene.sequence_editor or scene.sequence_editor_create()
    channel = 1 + max((strip.channel for strip in _all_strips(scene)), default=0)
    strips = _strips_in(editor)
    start_frame = scene.frame_start if start_frame is None else start_frame
    try:
        strip = strips.new_sound(path.stem, str(path.resolve()), channel, start_frame)
    except RuntimeError as error:
        raise ErlnetError("Blender cannot read this sound", path, "convert it to WAV or FLAC") from error
    if strip.sound.channels == "INVALID":
        sound = strip.sound
        strips.remove(strip)
        if sound.users == 0:
            bpy.data.sounds.remove(sound)
        raise ErlnetError("Blender finds no sound in this file", path, "convert it to WAV or FLAC")
    strip.show_waveform = True
    return strip
