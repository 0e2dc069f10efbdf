"""What a face tracker finds wrong with the neutral face: offsets of its landmarks, solved from several pictures.

``python -m studio.head.tracker_fit`` renders the committed head at five yaws, reads the pictures with FaceMesh, solves
for the offsets that would bring the projected landmarks to what was read, smooths them over the face and adds them to
`tracker_fit.npz`, which `face.neutral_face` reads. Run it, rebuild the head, and again, until it stops helping.
FaceMesh has learnt what faces look like: its three-dimensional disagreement pulls the head towards a likely one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from erlnet_blender.formats.head_model import HeadModel, default_head_path

from .landmarks import LANDMARKS, MeanFace, load
from .surface import averaging

TABLE = Path(__file__).with_name("tracker_fit.npz")
YAWS = (0.0, -30.0, 30.0, -15.0, 15.0)
STEP = 0.0003  # m, for the derivative of the projection
FIRMNESS = 0.02  # of the regularisation, relative to the data
SMOOTHNESS = 1.5


def correction() -> np.ndarray:
    """(468, 3) cm, the committed table."""
    with np.load(TABLE, allow_pickle=False) as data:
        return data["offsets"].astype(float)


def solve_offsets(
    jacobians: list[np.ndarray], residuals: list[np.ndarray], mean: MeanFace, smoothness: float = SMOOTHNESS
) -> np.ndarray:
    """(468, 3) symmetric offsets d that minimise sum |J d - r|^2, small and smooth over the face.

    Args:
        jacobians: per picture (468, 2, 3), change of the projected place by each axis; residuals: per picture
            (468, 2), read minus own.
    """
    normal = sum(np.einsum("lki,lkj->lij", j, j) for j in jacobians)
    right = sum(np.einsum("lki,lk->li", j, r) for j, r in zip(jacobians, residuals, strict=True))
    scale = np.trace(normal.mean(0)) / 3
    bend = averaging(mean.triangles, LANDMARKS) - sp.eye(LANDMARKS)
    stiff = smoothness * scale * (bend.T @ bend) + FIRMNESS * scale * sp.eye(LANDMARKS)
    system = sp.block_diag(list(normal)) + sp.kron(stiff, sp.eye(3))
    offsets = sla.spsolve(sp.csc_matrix(system), right.ravel()).reshape(LANDMARKS, 3)
    return 0.5 * (offsets + offsets[mean.mirror] * [-1, 1, 1])


def read_residuals(folder: Path, samples: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Jacobians and residuals (pixels per metre, pixels) of the neutral head at YAWS."""
    import bpy

    from ..judge_landmarks import Reading, picture_places, projected_landmarks, read_landmarks
    from ..portrait import POSES, open_stage, strike

    folder.mkdir(parents=True, exist_ok=True)
    head = HeadModel.load(default_head_path())
    rig = open_stage(512, samples)
    points = head.v_template[:LANDMARKS].astype(float)
    pictures, own, jacobians = [], [], []
    for yaw in YAWS:
        strike(rig, POSES["neutral"] | {"azimuth": yaw})
        pictures.append(folder / f"neutral_{yaw:+.0f}.png")
        own.append(projected_landmarks(rig))
        at = picture_places(rig.matrix_world, points)
        moved = [picture_places(rig.matrix_world, points + STEP * axis) - at for axis in np.eye(3)]
        jacobians.append(np.stack(moved, -1) / STEP)
        bpy.context.scene.render.filepath = str(pictures[-1])
        bpy.ops.render.render(write_still=True)
    readings = [Reading(p.stem, o, r) for p, o, r in zip(pictures, own, read_landmarks(pictures), strict=True)]
    for reading in readings:
        print(reading.summary())
    kept = [k for k, reading in enumerate(readings) if reading.read is not None]
    return [jacobians[k] for k in kept], [readings[k].read - own[k] for k in kept]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studio.head.tracker_fit", description=__doc__)
    parser.add_argument("--samples", type=int, default=16, help="of Cycles, a pixel")
    parser.add_argument("--share", type=float, default=0.9, help="of the solved offsets that is added")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/tracker_fit"), help="folder for the pictures")
    arguments = parser.parse_args()
    offsets = solve_offsets(*read_residuals(arguments.output, arguments.samples), load())
    total = (correction() if TABLE.exists() else np.zeros((LANDMARKS, 3))) + 100 * arguments.share * offsets
    np.savez_compressed(TABLE, offsets=total.astype(np.float32))
    print(f"{TABLE.name}: mean {np.linalg.norm(offsets, axis=1).mean() * 1000:.2f} mm added")


if __name__ == "__main__":
    main()
