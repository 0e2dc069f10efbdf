"""How fast a rig of FLAME's size plays, and what each of its parts costs: python -m benchmarks.rig [--json FILE].

A head of 5,000 vertices, 300 identity and 100 expression components, 36 pose correctives and joints that the
expressions move, all 100 expressions, jaw, neck, eyes and root keyed on 100 frames. Time is the processor's, summed
over threads, so other work on the machine does not count, and a viewport is no slower unless drawing takes long.
Milliseconds depend on the machine; the ratios, of layouts measured in turn in one run, less so.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import bpy
import numpy as np

from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.scene.keyframes import write_track
from erlnet_blender.scene.rig import build_rig, mesh_of, set_shape
from tests.blender.synthetic_head import large_head, random_track

FRAMES, ROUNDS = 100, 3


def main() -> None:
    """Print the figures, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE")
    figures = measure()
    for name, value in figures.items():
        print(f"{name:36s} {value:10.3f}")
    path = parser.parse_args().json
    if path:
        with open(path, "w") as file:
            json.dump(figures, file, indent=1)


def measure() -> dict[str, float]:
    """Name to value; names that end in _ratio compare a layout with the rig as it is."""
    head = large_head()
    seconds = {"create_s": [], "set_shape_s": []}
    for _ in range(ROUNDS):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        seconds["create_s"].append(seconds_of(lambda: build_rig(head)))
    rig = bpy.context.object
    seconds["set_shape_s"] = [seconds_of(lambda: set_shape(rig, np.ones(10))) for _ in range(ROUNDS)]
    layouts = {
        "as_it_is": lambda: keyed(head),
        "300_identity_set": lambda: keyed(head, shape=np.full(300, 0.5)),
        "identity_in_the_basis": lambda: keyed(in_basis(head)),
        "keys_on_the_shape_keys": lambda: keyed_directly(head),
        "joints_stand_still": lambda: keyed(without_moving_joints(head)),
        "no_pose_correctives": lambda: keyed(without_correctives(head)),
    }
    per_frame: dict[str, list[float]] = {name: [] for name in layouts}
    # In turn, so that what else the machine does falls on all of them.
    for _ in range(ROUNDS):
        for name, make in layouts.items():
            bpy.ops.wm.read_factory_settings(use_empty=True)
            bpy.context.scene.render.fps = 25
            make()
            per_frame[name].append(frame_s())
    figures = {name: median(values) for name, values in seconds.items()}
    base = median(per_frame["as_it_is"])
    figures["frame_ms"], figures["frames_per_second"] = 1e3 * base, 1 / base
    figures["frames_per_second_300_identity_set"] = 1 / median(per_frame["300_identity_set"])
    figures |= {f"{name}_ratio": median(values) / base for name, values in per_frame.items() if name != "as_it_is"}
    return figures


def seconds_of(work: Callable[[], object]) -> float:
    """How much processor time something takes once."""
    start = time.process_time()
    work()
    return time.process_time() - start


def frame_s() -> float:
    """Seconds that one frame of the scene's playback takes to evaluate."""
    scene = bpy.context.scene
    scene.frame_set(1)
    return seconds_of(lambda: [scene.frame_set(frame) for frame in range(1, FRAMES + 1)]) / FRAMES


def keyed(head: HeadModel, shape: np.ndarray | None = None) -> bpy.types.Object:
    """The rig as the add-on makes it, every channel keyed."""
    rig = build_rig(head, shape=shape)
    write_track(rig, random_track(head, FRAMES), 1, "Speech")
    return rig


def keyed_directly(head: HeadModel) -> None:
    """The other layout: expressions keyed on the shape keys, without drivers (two Actions to edit and to blend)."""
    rig = build_rig(head)
    track = random_track(head, FRAMES)
    write_track(rig, replace(track, expr=np.zeros_like(track.expr), eyelids=np.zeros_like(track.eyelids)), 1, "Speech")
    keys = mesh_of(rig).data.shape_keys
    for index in range(track.expr.shape[1]):
        path = f'key_blocks["Exp{index + 1:03d}"].value'
        keys.driver_remove(path)
        for frame, value in enumerate(track.expr[:, index].tolist()):
            keys.key_blocks[f"Exp{index + 1:03d}"].value = value
            keys.keyframe_insert(path, frame=frame + 1)


def in_basis(head: HeadModel) -> HeadModel:
    """A head without identity components, as if they were worked into its vertices."""
    return replace(head, shapedirs=head.shapedirs[..., :0])


def without_moving_joints(head: HeadModel) -> HeadModel:
    """The same head, but joints stay where they are whatever the face does."""
    moves = np.einsum("jv,vce->jce", head.J_regressor, head.expressiondirs)
    back = np.einsum("vj,jce->vce", np.linalg.pinv(head.J_regressor), moves)
    return replace(head, expressiondirs=head.expressiondirs - back)


def without_correctives(head: HeadModel) -> HeadModel:
    """The same head without pose correctives."""
    return replace(head, posedirs=np.zeros_like(head.posedirs))


if __name__ == "__main__":
    main()
