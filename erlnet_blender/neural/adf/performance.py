"""A recording of any length, spoken: pieces of a FaceTrack, one after the other.

The work goes in acts of five minutes that overlap by a few seconds, so memory does not grow with the recording. Head,
eyelids and gaze follow rules with a seed; each act has its own, and passes over into the next without a jump. Frame f
of a track covers [f, f + 1) / fps seconds. Shapes are averaged over it; contacts take their highest value in it, so
that no lip closure falls between two frames.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ...delivery import Delivery, parts_of_expression
from ...errors import ErlnetError
from ...face_track import CHANNELS, FaceTrack
from ...formats.atomic import atomic_path
from ...formats.head_model import HeadModel
from ...formats.npz import write_npz_rows
from .articulation import CHANNEL_RATE_HZ, CONTACTS, MOUTH, column
from .behaviour import behave
from .behaviour.breath import with_breath
from .closure import rest_gate, smoothstep
from .motion import turned
from .other_heads import spoken
from .phones import joined, phone_starts
from .sound import Sound
from .style.blended import BlendedStyle
from .style.factors import values_of

if TYPE_CHECKING:
    from .predictor import Heard, SpeechToFace

ACT_FRAMES = 300 * CHANNEL_RATE_HZ
OVERLAP_FRAMES = 5 * CHANNEL_RATE_HZ
_QUICK_FRAMES = 5
"""How long eyelids and eyes take from one act to the next: a blink and a saccade may be cut short, but not jump."""
_SUBSAMPLES = 5
_BROWS = ("brow_raise", "brow_inner", "brow_down", "squint", "eye_wide")
_CONTACT_COLUMNS = [column(name) for name in CONTACTS]
_TURN, _LIDS, _EYES, _BREATH = slice(0, 3), slice(3, 5), slice(5, 11), 11


class Performance:
    """What a head does while a recording sounds. Iterate over it for the pieces, or take the whole `track`.

    Args:
        model: the speech model; sound: what is said.
        fps: frame rate of the track, 1 to 1000; head: the model that the coefficients are for.
        delivery: how it is spoken.
        progress: called with the fraction done and a word; cancelled: asked often.

    Raises:
        ErlnetError: a bad frame rate, or a style that cannot be used.
    """

    def __init__(
        self, model: SpeechToFace, sound: Sound, fps: float, head: HeadModel, delivery: Delivery,
        progress: Callable[..., None] | None = None, cancelled: Callable[[], bool] | None = None,
    ) -> None:  # fmt: skip
        if not (np.isfinite(fps) and 1 <= fps <= 1000):
            raise ErlnetError(f"Frame rate {fps} is not between 1 and 1000")
        self.model, self.sound, self.fps, self.head, self.delivery = model, sound, fps, head, delivery
        self.progress, self.cancelled = progress, cancelled
        self.style = BlendedStyle(delivery, fps, head, model.network)
        self.frames = max(1, ceil(sound.duration_s * fps - 1e-6))
        self._spoke, self._missing, self._phones = False, [], []

    def track(self) -> FaceTrack:
        """All of it; the same performance gives the same track.

        Raises:
            Cancelled: when `cancelled` says so.
        """
        return FaceTrack.joined(list(self), self.source)

    def save(self, path: str | os.PathLike) -> None:
        """Write the track as an ``.npz``, whole or not at all; only a piece of it is ever in memory.

        Raises:
            ErlnetError: the file cannot be written; Cancelled when `cancelled` says so.
        """
        channels = ({name: getattr(piece, name) for name in CHANNELS} for piece in self)
        with atomic_path(path) as temporary:
            write_npz_rows(temporary, channels, self._rest)

    def _rest(self) -> dict:
        """What a track's file holds beside its channels."""
        return {"fps": self.fps, "head_id": self.head.id, "shape": np.zeros(0, np.float32), "source": self.source}

    @property
    def notes(self) -> list[str]:
        """What was odd, one sentence each; complete after the last piece."""
        notes = list(self.style.notes)
        if not self._spoke:
            notes.append("silent: no speech was heard")
        faces = {"mouth", "brows"} & self.delivery.parts
        if len(faces) == 1 and any(
            parts_of_expression(name) >= {"mouth", "brows"} for name in self.head.expression_names
        ):
            notes.append("the head's expressions have no names: those of mouth and brows are keyed together")
        if self._missing:
            notes.append(f"the head has no {', '.join(self._missing)}: left out")
        return notes

    @property
    def phones(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each phone begins, (P,) seconds from the start of the sound, and (P,) of what class it is.

        Complete after the last piece.
        """
        return joined(self._phones)

    @property
    def source(self) -> str:
        """JSON text: what made the track; complete after the last piece."""
        made = {"made_by": "erlnet ADF", **self.delivery.as_notes(), "model": self.model.metadata.get("command", "")}
        return json.dumps({**made, "notes": self.notes})

    def __iter__(self) -> Iterator[FaceTrack]:
        count, done, before = self.sound.frames, 0, None
        # An act that would be shorter than the overlap belongs to the one before.
        starts = range(0, max(1, count - OVERLAP_FRAMES), ACT_FRAMES)
        self._phones = []
        for act, (start, end) in enumerate(zip(starts, [*starts[1:], count], strict=True)):
            low, high = max(0, start - OVERLAP_FRAMES), min(count, end + OVERLAP_FRAMES)
            heard = self.model.hear(self.sound, low, high, self.progress, self.cancelled)
            self._spoke |= bool(rest_gate(heard.speaking)[start - low : end - low].any())
            begins_s, classes = phone_starts(heard.phones[start - low : end - low])
            self._phones.append((begins_s + start / CHANNEL_RATE_HZ, classes))
            codes = self.style.codes(low, high)
            manner = self._manner(codes, heard, act, before)
            mouth = with_breath(self.model.move(heard, codes, self.cancelled), manner[:, _BREATH])
            mouth = self._of_parts(mouth)
            before = manner[max(0, end - OVERLAP_FRAMES - low) :]
            last = self.frames if end == count else min(self.frames, int(end / CHANNEL_RATE_HZ * self.fps))
            place = {"fps": self.fps, "count": last - done, "first": done, "origin": low}
            if last > done:
                yield self._piece(at_frames(mouth, highest=_CONTACT_COLUMNS, **place), at_frames(manner, **place))
            done = last

    def _of_parts(self, mouth: np.ndarray) -> np.ndarray:
        """MOUTH channels without those of parts that are off."""
        parts = self.delivery.parts
        off = [name for name in MOUTH if name != "asymmetry" and ("brows" if name in _BROWS else "mouth") not in parts]
        mouth[:, [column(name) for name in off]] = 0
        return mouth

    def _manner(self, codes: np.ndarray, heard: Heard, act: int, before: np.ndarray | None) -> np.ndarray:
        """(T, 12) head, eyelids, eyes and breath of an act, at rest where their part is off.

        Args:
            codes: of the style, (128,) or (T, 128).
            before: the same of the act before, where this one overlaps it and goes on from it at the middle.
        """
        parts, seed, values = self.delivery.parts, self.delivery.seed, values_of(codes)
        if act:
            seed = int(np.random.SeedSequence([seed, act]).generate_state(1)[0])
        if self.delivery.blinks_per_minute:
            values |= {"blinks_per_minute": self.delivery.blinks_per_minute}
        # Eyes hold the viewer against the head, so they have to know of one that another motion moves, or nothing.
        turn = np.zeros((len(heard.speaking), 3), np.float32)
        if "head" in parts:
            turn = turned(self.model.network, heard.articulation, heard.accents, heard.speaking, codes, seed)
            if before is not None:
                _pass_over(before[:, _TURN], turn, len(before) // 2)
        motion = behave(values, heard.accents, heard.speaking, seed, turn)
        manner = np.concatenate([motion.head, motion.eyelids, motion.eyes, motion.breath[:, None]], 1)
        for part, columns in (("blinks", _LIDS), ("gaze", _EYES)):
            if part not in parts:
                manner[:, columns] = 0
        if before is not None:
            _pass_over(before[:, 3:], manner[:, 3:], _QUICK_FRAMES)
        return manner

    def _piece(self, mouth: np.ndarray, manner: np.ndarray) -> FaceTrack:
        face = spoken(mouth, manner[:, _LIDS], self.head, manner[:, _BREATH])
        self._missing = face.missing
        for index, name in enumerate(self.head.expression_names):
            if not parts_of_expression(name) & self.delivery.parts:
                face.expr[:, index] = 0
        if "mouth" not in self.delivery.parts:
            face.jaw_pose[:] = 0  # which brows move a little on a head whose expressions are refitted
        return FaceTrack(
            face.expr,
            self.fps,
            self.head.id,
            jaw_pose=face.jaw_pose,
            neck_pose=manner[:, _TURN],
            eyes_pose=manner[:, _EYES],
            eyelids=face.eyelids,
        )


def _pass_over(before: np.ndarray, after: np.ndarray, width: int) -> None:
    """Let `after` go on as `before` to the middle of their overlap, where an act ends and the next is taken up, and be
    itself `width` rows later."""
    count = len(before)
    share = smoothstep((np.arange(count) + 0.5 - count / 2) / width)[:, None].astype(np.float32)
    after[:count] = (1 - share) * before + share * after[:count]


def at_frames(
    curves: np.ndarray, fps: float, count: int, highest: list[int] | None = None, first: int = 0, origin: int = 0
) -> np.ndarray:
    """(count, C) curves at `fps` from (T, C) at 50 Hz: means over each frame, or maxima for the columns `highest`.

    Args:
        first: the frame to begin with; origin: which sample of the recording the first row of `curves` is.
    """
    own_s = (origin + np.arange(len(curves)) + 0.5) / CHANNEL_RATE_HZ
    times_s = (first + np.arange(count)[:, None] + (np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES) / fps
    result = np.zeros((count, curves.shape[1]), np.float32)
    for index, curve in enumerate(curves.T):
        inside = np.interp(times_s, own_s, curve)
        result[:, index] = inside.max(1) if highest and index in highest else inside.mean(1)
    return result
