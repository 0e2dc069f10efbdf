"""A face track into the rig's generated motion, in small steps, so that no step holds Blender's window up.

The keys go into a copy of the generated Action, which nothing plays until all of it is written. Steps hold no pointers
into Blender's data: an undo between two of them may replace everything, and then the writing begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ..delivery import PARTS
from ..errors import ErlnetError
from ..face_track import FaceTrack
from .channels import Channel, track_channels
from .curves import MARGIN, channels_of, curve_at, curves_of, ensure_curve, replace_keys, slot_for
from .kept_poses import bent, posed_frames
from .layers import assign_baked, baked_action, edit_layer, is_mixed
from .reduction import reducing, tolerances
from .rig import check_head, head_of, is_rig

# About a pose that is kept, the motion is bent for this long on both sides.
KEPT_POSE_S = 0.3

_undone = 0


@dataclass(frozen=True)
class KeyOptions:
    """How generated motion is written.

    Args:
        parts: what is keyed; everything else keeps the keys it has.
        first_frame, last_frame: nothing outside is written.
        blend_frames: over how many frames the old motion goes over into the new inside the ends of the range, where
            the track has been cut.
        max_mm, max_degrees: how far fewer keys may be from the motion, see `scene.reduction`; 0 keys every frame.
        keep_poses: whether the motion is bent through the poses on the edit layer, see `scene.kept_poses`.
        timing: takes the frames (N,) of the track to those of the keys, in the same order.
    """

    parts: frozenset[str] = PARTS
    first_frame: float = -np.inf
    last_frame: float = np.inf
    blend_frames: float = 0.0
    max_mm: float = 0.0
    max_degrees: float = 0.0
    keep_poses: bool = False
    timing: Callable[[np.ndarray], np.ndarray] | None = None


def rig_of(name: str) -> bpy.types.Object:
    """The rig of that name, now.

    Raises:
        ErlnetError: it is gone.
    """
    rig = bpy.data.objects.get(name)
    if rig is None or not is_rig(rig):
        raise ErlnetError("The head was removed during the bake", name, "bake again on another head")
    return rig


def check_writing(rig: bpy.types.Object, track: FaceTrack) -> None:
    """Raise ErlnetError if the track cannot be written onto the rig."""
    check_head(rig, track)
    if len(track) == 0:
        raise ErlnetError("The track has no frames", rig.name, "choose a longer recording")
    if rig.library is not None:
        raise ErlnetError("The head is linked from another file", rig.name, "make a library override of it first")
    if rig.animation_data is not None and rig.animation_data.use_tweak_mode:
        raise ErlnetError("An NLA strip is being edited", rig.name, "leave tweak mode (Tab in the NLA editor)")


def writing(
    rig_name: str, track: FaceTrack, start_frame: float, action_name: str, options: KeyOptions
) -> Iterator[float]:
    """Key a rig from a track in steps of some milliseconds; yields how much is done (0..1).

    Frame i lands at `start_frame` + i, scaled if the scene's frame rate is another. Closed before its end it leaves
    nothing behind.

    Raises:
        ErlnetError: the rig is gone, the track is empty or belongs to another head, nothing of it lies in the range, or
            an NLA strip is being tweaked. The rig is unchanged.
    """
    while True:
        attempt = _Attempt(rig_name, track, start_frame, action_name, options)
        try:
            for done in attempt.steps():
                yield done
                if attempt.is_void:
                    break
            else:
                attempt.finish()
                return
        finally:
            attempt.give_up()


class _Attempt:
    """One go at writing; void once undo has replaced Blender's data."""

    def __init__(
        self, rig_name: str, track: FaceTrack, start_frame: float, action_name: str, options: KeyOptions
    ) -> None:
        self._began, self._rig_name, self._options = _undone, rig_name, options
        self._action_name = ""
        rig = self._rig
        check_writing(rig, track)
        self._cut(track, start_frame)
        if is_mixed(rig):
            edit_layer(rig)
        self._posed = posed_frames(rig) if options.keep_poses else {}
        self._channels = [channel for channel in track_channels(rig, track) if channel.parts & options.parts]
        old, slot = baked_action(rig)
        action = old.copy() if old is not None else bpy.data.actions.new(action_name)
        slot_for(action, rig, slot)
        self._action_name = action.name

    def _cut(self, track: FaceTrack, start_frame: float) -> None:
        options, render = self._options, bpy.context.scene.render
        frames = start_frame + np.arange(len(track)) * (render.fps / render.fps_base / track.fps)
        if options.timing is not None:
            frames = options.timing(frames)
        self._fps = render.fps / render.fps_base
        self._inside = (frames >= options.first_frame - MARGIN) & (frames <= options.last_frame + MARGIN)
        if not self._inside.any():
            what = f"The recording fills frames {frames[0]:.0f} to {frames[-1]:.0f}, none of them in the range"
            raise ErlnetError(what, self._rig_name, "choose another range")
        self._frames = frames[self._inside]
        # 1 where the new motion counts, less towards an end where the track goes on.
        self._share = np.ones(len(self._frames))
        for is_cut, away in (
            (not self._inside[0], self._frames - self._frames[0]),
            (not self._inside[-1], self._frames[-1] - self._frames),
        ):
            if is_cut and options.blend_frames > 0:
                part = np.clip((away + 1) / (options.blend_frames + 1), 0, 1)
                self._share = np.minimum(self._share, part**2 * (3 - 2 * part))

    @property
    def is_void(self) -> bool:
        """Whether Blender has replaced its data meanwhile, or somebody has removed the half-written Action."""
        return self._began != _undone or self._action_name not in bpy.data.actions

    @property
    def _rig(self) -> bpy.types.Object:
        return rig_of(self._rig_name)

    def _target(self) -> tuple[bpy.types.Action, object | None]:
        action = bpy.data.actions[self._action_name]
        return action, slot_for(action, self._rig, baked_action(self._rig)[1] or _only_slot(action))

    def steps(self) -> Iterator[float]:
        """Shape, reduce and write the keys; yields how much is done."""
        channels, shaped = self._channels, []
        for index, channel in enumerate(channels):
            shaped.append(self._shaped(channel))
            yield 0.3 * index / len(channels)
        always = np.any([always for _, always in shaped], axis=0)
        keep = None
        if max(self._options.max_mm, self._options.max_degrees) > 0:
            values, paths = [values for values, _ in shaped], [channel.data_path for channel in channels]
            limits = tolerances(head_of(self._rig), paths, values, self._options.max_mm, self._options.max_degrees)
            for mask in reducing(self._frames, np.concatenate(values, 1), limits, always):
                keep = mask
                yield 0.5
        first = 0
        for index, (channel, (values, _)) in enumerate(zip(channels, shaped, strict=True)):
            columns = slice(first, first + values.shape[1])
            self._write(channel, values, None if keep is None else keep[:, columns])
            first = columns.stop
            yield 0.5 + 0.5 * (index + 1) / (len(channels) + 1)

    def _write(self, channel: Channel, values: np.ndarray, keep: np.ndarray | None) -> None:
        rig, curves = self._rig, channels_of(*self._target())
        for component, numbers in enumerate(values.T):
            curve = curves.fcurves.find(channel.data_path, index=component)
            if curve is None and not numbers.any() and _is_still(rig, channel.data_path, component):
                continue
            curve = curve or ensure_curve(curves, channel.data_path, component, channel.group)
            if not curve.lock:
                kept = slice(None) if keep is None else keep[:, component]
                replace_keys(curve, self._frames[kept], numbers[kept])

    def _shaped(self, channel: Channel) -> tuple[np.ndarray, np.ndarray]:
        """The numbers (N, C) in the range, blended and bent; and the frames that must be keys."""
        values, always = channel.values[self._inside].astype(float), self._share < 1
        times = self._posed.get(channel.data_path, np.zeros(0))
        times = times[(times >= self._frames[0]) & (times <= self._frames[-1])]
        if len(times):
            targets = _alike(self._evaluated(channel, times), _at(self._frames, values, times), channel)
            values = bent(self._frames, values, times, targets, KEPT_POSE_S * self._fps)
            always = always | (np.abs(self._frames[:, None] - times).min(1) < 1)
        edge = np.flatnonzero(self._share < 1)
        if len(edge):
            old = _alike(self._evaluated(channel, self._frames[edge]), values[edge], channel)
            values[edge] = old + self._share[edge, None] * (values[edge] - old)
        return values, always

    def _evaluated(self, channel: Channel, times: np.ndarray) -> np.ndarray:
        """(K, C) the motion that is there now; a property without keys is at rest."""
        curves, width = channels_of(*self._target()), channel.values.shape[1]
        values = np.zeros((len(times), width))
        if channel.data_path.endswith("rotation_quaternion"):
            values[:, 0] = 1
        for component in range(width):
            curve = curves.fcurves.find(channel.data_path, index=component)
            if curve is not None:
                values[:, component] = curve_at(curve, times)
        return values

    def finish(self) -> None:
        """Let the rig play what was written."""
        rig = self._rig
        action, slot = self._target()
        assign_baked(rig, action, slot)
        self._action_name = ""

    def give_up(self) -> None:
        """Remove what was written, unless it is finished."""
        action = bpy.data.actions.get(self._action_name) if self._action_name else None
        if action is not None and action.users == 0:
            bpy.data.actions.remove(action)


def _only_slot(action: bpy.types.Action) -> object | None:
    return action.slots[0] if hasattr(action, "slots") and len(action.slots) else None


def _at(frames: np.ndarray, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(times, frames, column) for column in values.T], 1)


def _alike(old: np.ndarray, new: np.ndarray, channel: Channel) -> np.ndarray:
    """The same rotations as `old`, in the numbers that are nearest to `new`."""
    if channel.data_path.endswith("rotation_quaternion"):
        return old * np.where((old * new).sum(1, keepdims=True) < 0, -1, 1)
    if channel.data_path.endswith("rotation_euler"):
        return old + 2 * np.pi * np.round((new - old) / (2 * np.pi))
    return old


def _is_still(rig: bpy.types.Object, data_path: str, component: int) -> bool:
    """Whether the rig has a number at zero, or keyed by hand alone: a channel of zeros need not be keyed."""
    animation = rig.animation_data
    own = curves_of(animation.action, getattr(animation, "action_slot", None)) if animation is not None else []
    if any(curve.data_path == data_path and curve.array_index == component for curve in own):
        return True
    value = rig.path_resolve(data_path)
    return not (value if isinstance(value, float) else value[component])


@bpy.app.handlers.persistent
def _count(*_: object) -> None:
    global _undone
    _undone += 1


def register() -> None:
    """Notice when Blender replaces its data."""
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post, bpy.app.handlers.load_post):
        handlers.append(_count)


def unregister() -> None:
    """Notice no more."""
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post, bpy.app.handlers.load_post):
        handlers.remove(_count)
