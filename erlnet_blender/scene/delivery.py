"""How a rig is to speak, read from its properties and from the keys on them."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..delivery import Amount, Delivery
from ..errors import ErlnetError
from ..properties import FROM_FILE, FROM_RIG, NO_STYLE
from .curves import curves_of
from .keyframes import read_track
from .layers import animated_range, base_strip
from .rig import is_rig

CROSS_FADE_S = 0.3
_PATH = "erlnet.speech."


def delivery_of(rig: bpy.types.Object, scene: bpy.types.Scene, first_frame: float, frames: int) -> Delivery:
    """What the rig's properties ask for; keyed ones become curves over `frames` frames from `first_frame` on.

    Raises:
        ErlnetError: the chosen file or head cannot be used as a style, or every part is off.
    """
    speech, times = rig.erlnet.speech, first_frame + np.arange(frames)
    if not speech.parts:
        raise ErlnetError("Every part of the face is off", rig.name, "switch one on in the Style panel")
    second = _style(scene, rig, "second_style")
    return Delivery(
        style=_style(scene, rig, "style"),
        strength=_amount(rig, "strength", times),
        second_style=second,
        mix=_amount(rig, "mix", times) if second else 0.0,
        emotions=_emotions(rig, times, scene.render.fps / scene.render.fps_base),
        parts=speech.parts,
        blinks_per_minute=speech.blinks,
        seed=speech.seed,
    )


def is_keyed(rig: bpy.types.Object, name: str) -> bool:
    """Whether there are keys on a property of the rig's speech."""
    return _curve(rig, name) is not None


def _curve(rig: bpy.types.Object, name: str) -> bpy.types.FCurve | None:
    """The F-curve of a property of the rig's speech: in its Action, or in the bake below its edit layer."""
    animation = rig.animation_data
    for holder in (animation, base_strip(rig)):
        if holder is None:
            continue
        for curve in curves_of(holder.action, getattr(holder, "action_slot", None)):
            if curve.data_path == _PATH + name and not curve.mute and len(curve.keyframe_points):
                return curve
    return None


def _amount(rig: bpy.types.Object, name: str, times: np.ndarray) -> Amount:
    curve, speech = _curve(rig, name), rig.erlnet.speech
    if curve is None:
        return getattr(speech, name)
    limits = speech.bl_rna.properties[name]
    values = [curve.evaluate(time) for time in times]
    return np.clip(np.array(values, np.float32), limits.hard_min, limits.hard_max)


def _emotions(rig: bpy.types.Object, times: np.ndarray, fps: float) -> dict[str, Amount]:
    """Emotion to intensity; where the emotion is keyed, one fades into the next, half before the key, half after."""
    speech, curve = rig.erlnet.speech, _curve(rig, "emotion")
    intensity = _amount(rig, "intensity", times)
    if curve is None:
        return {} if speech.emotion == "neutral" else {speech.emotion: intensity}
    items = speech.bl_rna.properties["emotion"].enum_items
    chosen = np.array([round(curve.evaluate(time)) for time in times])
    curves: dict[str, Amount] = {}
    for item in items:
        share = _faded((chosen == item.value).astype(float), CROSS_FADE_S * fps)
        if item.identifier != "neutral" and share.any():
            curves[item.identifier] = np.asarray(share * intensity, np.float32)
    return curves


def _faded(share: np.ndarray, width: float) -> np.ndarray:
    """(N,) the mean over `width` frames about each one; what lies beyond both ends is as at the ends."""
    reach = int(np.ceil(width / 2))
    kernel = np.clip(width / 2 + 0.5 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    return np.convolve(np.pad(share, reach, mode="edge"), kernel / kernel.sum(), "valid")


def _style(scene: bpy.types.Scene, rig: bpy.types.Object, name: str) -> str:
    """A style as the worker wants it: a preset's name, or the path of a track; empty for none.

    Raises:
        ErlnetError: the chosen file or head cannot be used.
    """
    speech, title = rig.erlnet.speech, name.replace("_", " ")
    choice = getattr(speech, name)
    if choice == FROM_FILE:
        chosen = getattr(speech, f"{name}_file")
        path = Path(bpy.path.abspath(chosen))
        if not chosen or not path.is_file():
            raise ErlnetError(f"No track file is chosen for the {title}", chosen, "choose one in the Style panel")
        return str(path)
    if choice == FROM_RIG:
        return str(_track_of_rig(scene, getattr(speech, f"{name}_rig"), name))
    return "" if choice == NO_STYLE else choice


def _track_of_rig(scene: bpy.types.Scene, rig: bpy.types.Object | None, name: str) -> Path:
    frames = animated_range(rig) if rig is not None and is_rig(rig) else None
    if frames is None:
        where = rig.name if rig is not None else ""
        remedy = "choose one with animation in the Style panel"
        raise ErlnetError(f"The {name.replace('_', ' ')} needs an animated head", where, remedy)
    path = Path(bpy.app.tempdir) / f"erlnet_{name}.npz"
    read_track(rig, scene, *frames).save(path)
    return path
