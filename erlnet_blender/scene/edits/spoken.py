"""What is said when on a rig, and another timing of it: kept with the Actions, in times of the recording.

The visemes come with a bake and lie on its Action, with the timing that its keys have. The timing that the animator
wants is an edit: it lies on the edit layer's Action, so that the next bake finds it. Both are JSON text in custom
properties, which travel with copies of the Action.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import bpy
import numpy as np

from ...face_track import FaceTrack
from ..keyframes import write_track
from ..layers import baked_action
from ..writing import KeyOptions
from .warp import Warp

SPOKEN, RETIMING = "erlnet_spoken", "erlnet_retiming"
# Phones of the speech model to the visemes of scene.pose_library.
VISEME_OF = {
    "m": "PP", "b": "PP", "p": "PP", "f": "FF", "v": "FF", "th": "TH", "t": "DD", "d": "DD", "tap": "DD", "n": "nn",
    "l": "nn", "s": "SS", "z": "SS", "sh": "CH", "zh": "CH", "r": "RR", "er": "RR", "k": "kk", "g": "kk", "ng": "kk",
    "h": "kk", "j": "ih", "i": "ih", "e": "E", "@": "E", "a": "aa", "A": "aa", "o": "oh", "oe": "oh", "w": "ou",
    "u": "ou", "y": "ou",
}  # fmt: skip
# Frames closer than this are the same frame.
_SAME = 1e-4

Anchors = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Spoken:
    """A recording on the frames of an Action.

    Args:
        voice: name of the strip.
        origin: the frame at which the recording's time 0 lies, whether or not the strip plays it.
        fps: frames a second.
        start_s, end_s: what of the recording is baked.
        visemes: (start in seconds of the recording, name) of each, one after the other.
        anchors: the timing that the keys have: (seconds in the recording, by how many of them it is later than said).
    """

    voice: str
    origin: float
    fps: float
    start_s: float
    end_s: float
    visemes: tuple[tuple[float, str], ...]
    anchors: Anchors = ()

    def frame_of(self, time_s: float) -> float:
        """The Action's frame of a time in the recording, before any retiming."""
        return self.origin + time_s * self.fps

    @property
    def span(self) -> tuple[float, float]:
        """The first frame, and the one after the last."""
        return self.frame_of(self.start_s), self.frame_of(self.end_s)

    def joins(self, other: Spoken) -> bool:
        """Whether the other is the same recording at the same place, or goes on with this one."""
        same = self.voice == other.voice and abs(self.fps - other.fps) < 1e-6 and abs(self.origin - other.origin) < 0.01
        return same and self.start_s <= other.end_s + 1e-3 and other.start_s <= self.end_s + 1e-3

    def with_newer(self, newer: Spoken) -> Spoken:
        """This one, with what another bake of the same recording says where it says something."""
        kept = [viseme for viseme in self.visemes if not newer.start_s - 1e-3 <= viseme[0] < newer.end_s - 1e-3]
        visemes = tuple(sorted([*kept, *newer.visemes]))
        ends = min(self.start_s, newer.start_s), max(self.end_s, newer.end_s)
        return replace(self, start_s=ends[0], end_s=ends[1], visemes=visemes)


def visemes_of(phones: np.ndarray, starts_s: np.ndarray) -> tuple[tuple[float, str], ...]:
    """(start in seconds, name) of the visemes of (P,) names of phones; those that follow each other are one."""
    visemes: list[tuple[float, str]] = []
    for begins_s, phone in zip(np.round(starts_s, 4).tolist(), phones.tolist(), strict=True):
        name = VISEME_OF.get(phone, "sil")
        if not visemes or visemes[-1][1] != name:
            visemes.append((begins_s, name))
    return tuple(visemes)


def spoken_of(action: bpy.types.Action | None) -> list[Spoken]:
    """The recordings that were baked onto an Action."""
    entries = json.loads(action.get(SPOKEN, "[]")) if action is not None else []
    pairs = {name: [tuple(map(tuple, entry[name])) for entry in entries] for name in ("visemes", "anchors")}
    return [
        Spoken(**{**entry, "visemes": visemes, "anchors": anchors})
        for entry, visemes, anchors in zip(entries, pairs["visemes"], pairs["anchors"], strict=True)
    ]


def joined(others: list[Spoken], newer: Spoken) -> tuple[Spoken, list[Spoken]]:
    """A new bake as one with what it goes on with, and those of the others that it does not replace."""
    whole, rest = newer, []
    for old in others:
        if old.joins(newer):
            whole = old.with_newer(whole)
        elif old.voice != newer.voice and (old.span[0] >= newer.span[1] or old.span[1] <= newer.span[0]):
            rest.append(old)
    return whole, rest


def remember(action: bpy.types.Action, spoken: list[Spoken]) -> None:
    """Keep with an Action what is said in it."""
    action[SPOKEN] = json.dumps([asdict(one) for one in spoken])


def anchors_of(edits: bpy.types.Action | None, voice: str) -> Anchors:
    """The timing that the animator wants of a voice."""
    stored = json.loads(edits.get(RETIMING, "{}")) if edits is not None else {}
    return tuple((float(time_s), float(shift_s)) for time_s, shift_s in stored.get(voice, []))


def want(edits: bpy.types.Action, voice: str, anchors: Anchors) -> None:
    """Keep with the edit layer which timing the animator wants of a voice."""
    stored = json.loads(edits.get(RETIMING, "{}"))
    stored[voice] = anchors
    edits[RETIMING] = json.dumps({name: some for name, some in stored.items() if some})


def write_spoken(
    rig: bpy.types.Object, track: FaceTrack, start_frame: float, action_name: str, parts: frozenset[str], heard: Spoken
) -> bpy.types.Action:
    """Key the rig as `keyframes.write_track`, at the times that the animator wants; what is said stays with the keys.

    Raises:
        ErlnetError: as there.
    """
    action = write_track(rig, track, start_frame, action_name, options=KeyOptions(parts, timing=timing_of(rig, heard)))
    note(rig, heard)
    return action


def timing_of(rig: bpy.types.Object, heard: Spoken) -> Warp:
    """Where the frames of a new bake go: as the animator has retimed this voice."""
    whole, _ = joined(spoken_of(baked_action(rig)[0]), heard)
    return warp_of(whole, _wanted(rig, heard.voice))


def note(rig: bpy.types.Object, heard: Spoken) -> None:
    """Keep with the generated Action what a bake has just put there, at the times of `timing_of`."""
    action = baked_action(rig)[0]
    if action is not None:
        whole, rest = joined(spoken_of(action), heard)
        remember(action, [*rest, replace(whole, anchors=_wanted(rig, heard.voice))])


def _wanted(rig: bpy.types.Object, voice: str) -> Anchors:
    animation = rig.animation_data
    return anchors_of(animation.action if animation is not None else None, voice)


def sparse(anchors: Anchors) -> Anchors:
    """Those that have a shift, and their neighbours: they tell where it ends."""
    moved = [False, *(abs(shift_s) > 1e-6 for _, shift_s in anchors), False]
    return tuple(anchor for index, anchor in enumerate(anchors) if any(moved[index : index + 3]))


def warp_of(spoken: Spoken, anchors: Anchors) -> Warp:
    """From frames as spoken to frames as retimed; both ends stay, and anchors that would leave them do not count."""
    first, last = spoken.span
    sources = np.array([spoken.frame_of(time_s) for time_s, _ in anchors])
    targets = sources + np.array([shift_s * spoken.fps for _, shift_s in anchors])
    inside = (np.minimum(sources, targets) > first + _SAME) & (np.maximum(sources, targets) < last - _SAME)
    return Warp(np.array([first, *sources[inside], last]), np.array([first, *targets[inside], last]))
