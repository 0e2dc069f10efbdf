"""Voice to keyframes: the worker listens, Blender stays usable, the keys come in one undo step."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..preferences import preferred_python
from ..properties import WHOLE_STRIP
from ..scene import jobs
from ..scene.delivery import delivery_of
from ..scene.edits.spoken import Spoken, note, timing_of, visemes_of
from ..scene.follow import remember
from ..scene.rig import DEFAULT_HEAD, HEAD_PATH, find_rig, head_of, head_path_of
from ..scene.strips import AudioClip, clip_of
from ..scene.voices import voice_of
from ..scene.writing import KeyOptions, rig_of, writing
from ..worker import protocol
from ..worker.client import shared_client
from .explained import object_mode_reason, rig_reason, worker_reason
from .frame_range import scene_range
from .waiting import WaitsForWorker, busy_reason


@dataclass(frozen=True)
class Bake:
    """What to bake onto which rig; names, since undo may replace every object meanwhile."""

    rig_name: str
    clip: AudioClip
    options: KeyOptions
    header: dict
    arrays: dict

    @classmethod
    def from_context(cls, context: bpy.types.Context) -> Bake:
        """The bake that the panels describe.

        Raises:
            ErlnetError: no voice, no head, or a style that cannot be read.
        """
        rig = find_rig(context)
        if rig is None:
            raise ErlnetError(rig_reason(context) or "There is no head", context.scene.name)
        head_of(rig)
        strip, scene = voice_of(context)
        clip = clip_of(strip, scene)
        delivery = delivery_of(rig, scene, clip.start_frame, clip.frames)
        header, arrays = delivery.as_request()
        header |= {
            "audio": str(clip.path),
            "start_s": clip.start_s,
            "duration_s": clip.duration_s,
            "fps": clip.place.fps,
            "weights": _weights_of(rig),
            "head": "" if rig.get(HEAD_PATH, DEFAULT_HEAD) == DEFAULT_HEAD else str(head_path_of(rig)),
        }
        return cls(rig.name, clip, options_of(rig, context.scene, clip), header, arrays)

    def writing(self, arrays: dict) -> Iterator[float]:
        """Key the rig from the worker's result, step by step; returns a sentence about it and the worker's remarks.

        Raises:
            ErlnetError: the rig is gone, or the track does not fit it. Nothing is changed.
        """
        # Of a retimed strip: a frame of the track is a frame of the scene, whatever part of the recording it lasts.
        track = replace(FaceTrack.from_arrays(arrays), fps=self.clip.scene_fps)
        start, name = self.clip.start_frame, f"{self.clip.name} speech"
        heard = self._heard(arrays)
        timed = replace(self.options, timing=timing_of(rig_of(self.rig_name), heard))
        yield from writing(self.rig_name, track, start, name, timed)
        rig = rig_of(self.rig_name)
        note(rig, heard)
        remember(rig, self.clip)
        first = max(round(start), self.options.first_frame)
        last = min(round(start) + len(track) - 1, self.options.last_frame)
        done = f"Baked {self.clip.name!r} onto {self.rig_name}: frames {first:.0f} to {last:.0f}"
        return done, [str(note) for note in json.loads(track.source).get("notes", [])]

    def _heard(self, arrays: dict) -> Spoken:
        clip, place = self.clip, self.clip.place
        visemes = visemes_of(arrays["phones"], clip.start_s + arrays["phone_starts_s"])
        return Spoken(clip.name, place.zero_frame, place.fps, clip.start_s, clip.start_s + clip.duration_s, visemes)


def _weights_of(rig: bpy.types.Object) -> str:
    chosen = rig.erlnet.speech.weights
    path = bpy.path.abspath(chosen, library=rig.library) if chosen else ""
    if path and not Path(path).is_file():
        raise ErlnetError("No such speech model", chosen, "choose another one in the Style panel, or none")
    return path


def options_of(rig: bpy.types.Object, scene: bpy.types.Scene, clip: AudioClip) -> KeyOptions:
    """How the rig's settings want the keys.

    Raises:
        ErlnetError: the strip plays nothing in the chosen frames.
    """
    settings = rig.erlnet.bake
    first, last = -math.inf, math.inf
    if settings.frames != WHOLE_STRIP:
        is_custom = settings.frames == "CUSTOM"
        first, last = (settings.first_frame, settings.last_frame) if is_custom else scene_range(scene)
        end = clip.start_frame + clip.frames - 1
        if first > last or first > end or last < clip.start_frame:
            what = f"The voice plays in frames {clip.start_frame:.0f} to {end:.0f}, not in {first} to {last}"
            raise ErlnetError(what, clip.name, "choose other frames in the Bake panel")
    return KeyOptions(rig.erlnet.speech.parts, first, last, settings.blend, *settings.bounds, settings.keep_poses)


class ERLNET_OT_bake_speech(WaitsForWorker, bpy.types.Operator):
    """Turn the voice into keyframes of the head; keys outside the recording stay as they are"""

    bl_idname = "erlnet.bake_speech"
    bl_label = "Bake Speech"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """One job at a time; a head and a voice are needed."""
        reason = busy_reason() or object_mode_reason(context) or rig_reason(context) or worker_reason()
        if reason:
            return reason
        try:
            voice_of(context)
        except ErlnetError as error:
            return str(error)
        if not find_rig(context).erlnet.speech.parts:
            return "Every part of the face is off: switch one on in the Style panel"
        return ""

    def start(self, context: bpy.types.Context) -> jobs.Job:
        """Ask the worker for the track."""
        self._bake = Bake.from_context(context)
        client = shared_client(preferred_python())
        title = f"Baking {self._bake.clip.name!r}"
        job = jobs.start(client, title, protocol.BAKE, self._bake.header, self._bake.arrays)
        if self._bake.clip.is_muted:
            self.report({"WARNING"}, f"The strip {self._bake.clip.name!r} is muted: it is baked, but will not be heard")
        return job

    def finish(self, job: jobs.Job) -> Iterator[float]:
        """Write the keys."""
        return self._bake.writing(job.arrays)


CLASSES = (ERLNET_OT_bake_speech,)
