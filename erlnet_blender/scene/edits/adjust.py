"""What an animator asks for, each a few lines of mathematics on the sampled motion, written onto the edit layer."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

import bpy
import numpy as np

from ...errors import ErlnetError
from ..controls import EYELID_KEYS, EYELIDS, LOOK_AT, expression_key
from ..pose import mirrored_expressions
from .contacts import closed, kept
from .motion import Pulse, blink_spans, bridged, local_mean, savitzky_golay, soft_window
from .sampling import Channel, Motion
from .writing import Step, steps_to, turning, write_steps

# Where the head and the eyes' target stand in the scene is no motion of the face.
PLACES = ("root", LOOK_AT)
# How much of the motion is looked at to tell how far open an eye mostly is, seconds.
_AROUND_S = 1.5


def _change(
    rig: bpy.types.Object,
    span: tuple[int, int],
    soft: float,
    reach: int,
    change: Callable[[Channel], np.ndarray | None],
    keep_contacts: bool,
) -> int:
    """Give channels other values over a span of frames, with soft ends; returns how many properties were keyed.

    Args:
        reach: how many frames beyond the span `change` has to know.
        change: the new `Channel.values` (N, W), or None for a channel that stays.
    """
    first, last = span
    motion = Motion(rig, np.arange(first - reach, last + reach + 1))
    shows = soft_window(motion.frames, first, last, soft)[:, None]
    wanted = {channel.key: (channel.values, change(channel)) for channel in motion.channels.values()}
    targets = {key: now + shows * (then - now) for key, (now, then) in wanted.items() if then is not None}
    return write_steps(rig, steps_to(motion, kept(motion, targets) if keep_contacts else targets))


def exaggerate(
    rig: bpy.types.Object,
    span: tuple[int, int],
    factor: float,
    parts: frozenset[str],
    soft: float = 0,
    mean_width: int = 0,
) -> int:
    """Make movements larger, or below a factor of 1 smaller; contacts of the lips stay.

    Args:
        span: first and last frame; soft: over how many frames at each end it comes and goes.
        mean_width: frames of the local mean that is kept; 0 is about the neutral face, and leaves the places alone.

    Returns:
        How many properties were keyed.
    """

    def change(channel: Channel) -> np.ndarray | None:
        if not (channel.keyed and channel.parts & parts) or (channel.bone in PLACES and not mean_width):
            return None
        about = local_mean(channel.values, mean_width) if mean_width else 0.0
        return about + factor * (channel.values - about)

    return _change(rig, span, soft, mean_width // 2, change, True)


def smooth(
    rig: bpy.types.Object, span: tuple[int, int], window: int, order: int, parts: frozenset[str], soft: float = 0
) -> int:
    """Take out what is quicker than a window of frames (Savitzky and Golay); contacts of the lips stay.

    Args:
        window: odd number of frames, more than `order`, which is that of the polynomials.

    Returns:
        How many properties were keyed.
    """

    def change(channel: Channel) -> np.ndarray | None:
        return savitzky_golay(channel.values, window, order) if channel.keyed and channel.parts & parts else None

    return _change(rig, span, soft, window // 2, change, True)


def mirror(rig: bpy.types.Object, span: tuple[int, int], parts: frozenset[str], soft: float = 0) -> int:
    """Exchange left and right; returns how many properties were keyed.

    Raises:
        ErlnetError: the head neither names its expressions nor is symmetric. Nothing has changed.
    """
    motion = Motion(rig, np.arange(span[0], span[1] + 1))
    expressions = [motion.control(expression_key(index)) for index in range(len(motion.head.expression_names))]
    values = np.stack([channel.raw[:, 0] for channel in expressions])
    mirrored = mirrored_expressions(motion.head, values)
    images = {channel.key: row[:, None] for channel, row in zip(expressions, mirrored, strict=True)}
    lids = [motion.control(name) for name in EYELIDS]
    if all(lids):
        images |= {lids[0].key: lids[1].raw, lids[1].key: lids[0].raw}
    for channel in motion.channels.values():
        other = bpy.utils.flip_name(channel.bone)
        if channel.mode:
            images[channel.key] = motion.turn(other).values * [1, -1, -1]
        elif channel.path == "location":
            images[channel.key] = motion.channels.get((other, channel.path), channel).raw * [-1, 1, 1]
    shows = soft_window(motion.frames, *span, soft)[:, None]
    targets = {
        channel.key: channel.values + shows * (images[channel.key] - channel.values)
        for channel in motion.of_parts(parts)
        if channel.key in images
    }
    return write_steps(rig, steps_to(motion, targets))


def offset_head(
    rig: bpy.types.Object, span: tuple[int, int], angles_rad: tuple[float, float, float], soft: float, eyes_stay: bool
) -> int:
    """Turn the head further over a span of frames; four keys that an animator can move.

    Args:
        angles_rad: about the neck's x (down), y (to its own left) and z (to its own right shoulder).
        eyes_stay: whether the eyes turn back by as much and go on looking where they look.

    Returns:
        How many properties were keyed.
    """
    first, last = span
    soft = min(soft, (last - first) / 2)
    frames = np.unique([first, first + soft, last - soft, last])
    shows = soft_window(frames, first, last, soft)[:, None]
    motion = Motion(rig, frames)
    steps = [turning(motion.turn("neck"), frames, shows * angles_rad)]
    if eyes_stay:
        back = -shows * [angles_rad[0], angles_rad[1], 0.0]
        steps += [turning(motion.turn(bone), frames, back) for bone in ("left_eye", "right_eye")]
    return write_steps(rig, steps)


def close_lips(rig: bpy.types.Object, pulse: Pulse, press: float = 1.0) -> int:
    """Seal the lips at a frame against the jaw as it moves; returns how many properties were keyed."""
    motion = Motion(rig, np.arange(floor(pulse.corners[0]), ceil(pulse.corners[-1]) + 1))
    return write_steps(rig, steps_to(motion, closed(motion, pulse, press)))


def add_blink(rig: bpy.types.Object, pulse: Pulse, shut: float = 1.0) -> int:
    """Shut both eyes; three or four keys that an animator can move.

    Args:
        shut: how far, 1 all the way; eyes that are shut further already stay so.

    Returns:
        How many properties were keyed.

    Raises:
        ErlnetError: the eyes are shut there already.
    """
    frames = pulse.corners
    motion, steps = Motion(rig, frames), []
    for key, name in zip(EYELID_KEYS, EYELIDS, strict=True):
        lift = np.maximum(shut - motion.total(key), 0) * pulse.at(frames)
        steps.append(Step(motion.control(name), frames, lift[:, None], eases=True))
    if not write_steps(rig, steps):
        raise ErlnetError(f"The eyes are shut at frame {pulse.here:g} already", rig.name, "go to another frame")
    return len(steps)


def remove_blinks(rig: bpy.types.Object, span: tuple[float, float], fps: float) -> int:
    """Keep the eyes open through every blink that touches a span of frames; returns how many there were."""
    around = ceil(_AROUND_S * fps)
    motion = Motion(rig, np.arange(floor(span[0]) - around, ceil(span[1]) + around + 1))
    closure = np.max([motion.total(key) for key in EYELID_KEYS], axis=0)
    found = [
        (first, last)
        for first, last in blink_spans(closure)
        if motion.frames[first] <= span[1] and motion.frames[last] >= span[0]
    ]
    targets = {}
    for channel in (motion.control(name) for name in (*EYELIDS, "blink")):
        if channel is not None and channel.keyed:
            values = channel.raw
            for first, last in found:
                values = bridged(values, first, last)
            targets[channel.key] = values
    write_steps(rig, steps_to(motion, targets))
    return len(found)
