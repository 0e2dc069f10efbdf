"""What must hold whatever the animator keys: random keys by hand and several bakes."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.scene.curves import channels_of, curve_at, ensure_curve, read_keys
from erlnet_blender.scene.keyframes import write_track
from erlnet_blender.scene.layers import baked_curves, edit_layer
from erlnet_blender.scene.rig import build_rig
from erlnet_blender.scene.writing import KeyOptions

from .dump import differences
from .synthetic_head import random_track

FACE = 'pose.bones["face"]'
HAND_PATHS = (
    (f'{FACE}["Exp001"]', 0), (f'{FACE}["Exp004"]', 0), (f'{FACE}["smile"]', 0), (f'{FACE}["eyelid_left"]', 0),
    ('pose.bones["jaw"].rotation_euler', 0), ('pose.bones["neck"].rotation_euler', 2), ("location", 1),
    ("erlnet.speech.strength", 0),
)  # fmt: skip
RANGES = (KeyOptions(), KeyOptions(first_frame=18, last_frame=24), KeyOptions(parts=frozenset({"mouth"})))


def key_by_hand(rig, random: np.random.Generator) -> None:
    """Keys at random places, whole frames and not, of random kinds, in and out of the bake's range."""
    curves = channels_of(edit_layer(rig), getattr(rig.animation_data, "action_slot", None))
    for path, index in HAND_PATHS:
        if random.random() < 0.3:
            continue
        curve = ensure_curve(curves, path, index, "Mine")
        for frame in random.choice(np.arange(-10, 60, 0.25), random.integers(1, 8), replace=False):
            key = curve.keyframe_points.insert(frame, random.normal(0, 0.5))
            key.interpolation = random.choice(["BEZIER", "LINEAR", "CONSTANT", "ELASTIC"])
            key.handle_left_type = key.handle_right_type = random.choice(["AUTO", "FREE", "VECTOR", "AUTO_CLAMPED"])
            key.type = random.choice(["KEYFRAME", "BREAKDOWN", "EXTREME"])
        curve.extrapolation = random.choice(["CONSTANT", "LINEAR"])
        if random.random() < 0.3:
            curve.modifiers.new("NOISE").strength = 0.1
        curve.update()


def told(curve) -> dict:
    return {
        **read_keys(curve),
        "extrapolation": curve.extrapolation,
        "modifiers": [item.type for item in curve.modifiers],
    }


def hand_keys(rig) -> dict:
    curves = channels_of(rig.animation_data.action, getattr(rig.animation_data, "action_slot", None)).fcurves
    return {f"{curve.data_path}[{curve.array_index}]": told(curve) for curve in curves}


def generated(rig, frames) -> dict:
    """Values of each generated number; without a curve it is at rest, as with a curve of zeros."""
    found = {(curve.data_path, curve.array_index): curve_at(curve, frames) for curve in baked_curves(rig)}
    return {key: values for key, values in found.items() if values.any()}


@pytest.mark.parametrize("seed", range(8))
def test_a_bake_changes_nothing_but_what_bakes_made(head, seed):
    """The hand layer stays to the bit; what is generated is what a fresh rig without hand keys would have."""
    random = np.random.default_rng(seed)
    bpy.context.scene.render.fps = 25
    rig, fresh = build_rig(head), build_rig(head, name="Fresh")
    if random.random() < 0.5:
        key_by_hand(rig, random)
    start = 0
    for take in range(3):
        track = random_track(head, int(random.integers(30, 50)), seed=100 * seed + take)
        start, options = (
            int(random.integers(-5, 20)),
            RANGES[int(random.integers(len(RANGES)))] if take else KeyOptions(),
        )
        key_by_hand(rig, random)
        before, name = hand_keys(rig), rig.animation_data.action.name
        for target in (rig, fresh):
            write_track(target, track, start, "Speech", options=options)
        assert rig.animation_data.action.name == name
        assert differences(before, hand_keys(rig)) == []
        frames = np.arange(-20, 80)
        assert differences(generated(fresh, frames), generated(rig, frames)) == []
