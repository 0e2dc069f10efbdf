"""How fast keys are written: a minute of speech, every channel, against Blender's own `keyframe_insert`.

    python -m benchmarks.keyframes

Times are of the processor, so that other programs do not count; the ratio is of one run.
"""

from __future__ import annotations

import os
import sys
import time

import bpy
import numpy as np

from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.controls import expression_key
from erlnet_blender.scene.keyframes import write_track
from erlnet_blender.scene.layers import baked_curves
from erlnet_blender.scene.rig import build_rig
from erlnet_blender.scene.writing import KeyOptions, writing

FPS, SECONDS, ROUNDS = 25, 60, 5
# Of `keyframe_insert`, a key of every frame is timed for the jaw and so many expressions: it takes minutes for all.
INSERTED = 3


def spoken(head: HeadModel) -> FaceTrack:
    """A minute in which everything moves as smoothly as in speech."""
    random, count = np.random.default_rng(0), FPS * SECONDS
    times = np.arange(count) / FPS

    def moving(width: int, size: float) -> np.ndarray:
        rates, phases = random.uniform(0.5, 5, width), random.uniform(0, 7, width)
        return size * np.sin(2 * np.pi * rates * times[:, None] + phases)

    return FaceTrack(
        expr=0.5 + moving(head.expressiondirs.shape[-1], 0.5), fps=FPS, head_id=head.id, jaw_pose=moving(3, 0.1),
        neck_pose=moving(3, 0.1), eyes_pose=moving(6, 0.1), eyelids=0.5 + moving(2, 0.5), rotation=moving(3, 0.1),
        translation=moving(3, 0.01),
    )  # fmt: skip


def inserted(head: HeadModel, track: FaceTrack) -> tuple[float, int]:
    """Seconds that `keyframe_insert` takes for a key of some properties at every frame, and how many keys that is."""
    rig = build_rig(head, name="Other")
    bone, face = rig.pose.bones["jaw"], rig.pose.bones["face"]
    start = time.process_time()
    for frame in range(len(track)):
        bone.rotation_euler = track.jaw_pose[frame].tolist()
        bone.keyframe_insert("rotation_euler", frame=1 + frame)
        for index in range(INSERTED):
            face[expression_key(index)] = float(track.expr[frame, index])
            face.keyframe_insert(f'["{expression_key(index)}"]', frame=1 + frame)
    return time.process_time() - start, len(track) * (INSERTED + 3)


def main() -> int:
    """Print the figures; 1 if a bound does not hold."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FPS
    head = HeadModel.load(default_head_path())
    rig, track = build_rig(head), spoken(head)
    rounds, steps = [], []
    for _ in range(ROUNDS):
        start = before = time.process_time()
        for _ in writing(rig.name, track, 1, "Speech", KeyOptions()):
            now = time.process_time()
            steps.append(now - before)
            before = now
        steps.append(time.process_time() - before)
        rounds.append(time.process_time() - start)
    keys = sum(len(curve.keyframe_points) for curve in baked_curves(rig))
    seconds, count = inserted(head, track)
    ratio = seconds / count * keys / np.median(rounds)
    what = f"{keys} keys ({SECONDS} s, {len(baked_curves(rig))} channels)"
    print(f"{what}: {np.median(rounds):.3f} s, {min(rounds):.3f} to {max(rounds):.3f} s")
    print(f"longest step between two events of the window: {1000 * max(steps):.1f} ms")
    print(f"keyframe_insert takes {ratio:.0f} times as long")
    for max_mm in (0.05, 0.1, 0.5):
        start = time.process_time()
        write_track(rig, track, 1, "Speech", options=KeyOptions(max_mm=max_mm, max_degrees=max_mm))
        few = sum(len(curve.keyframe_points) for curve in baked_curves(rig))
        print(f"reduced to {max_mm} mm and degrees: {few / keys:.0%} of the keys, {time.process_time() - start:.3f} s")
    return int(np.median(rounds) > 0.3 or ratio < 100)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Blender's module may wait for ever at Python's own end.
    os._exit(status)
