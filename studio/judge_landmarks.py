"""Judge the head by a face tracker: does MediaPipe FaceMesh find it, and its landmarks where the head has them?

``python -m studio.judge_landmarks [poses] --yaws 0 30 -30 -o build/landmarks`` renders poses of the portrait with
Cycles, lets FaceMesh (static mode, confidence 0.9) read each picture and prints one JSON object per picture:
``found``, and ``rms``, the root mean square over the 468 landmarks of the distance in the picture between what
FaceMesh reads and the head's own projected places (``landmark_faces``, ``landmark_bary``), in percent of the
inter-ocular distance: between the means of the 16 landmarks round each eye, as projected in the same picture.
Nothing is aligned before comparing. The pictures show the head's places in green, FaceMesh's in red.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .head.rings import EYE_LOWER, EYE_UPPER, LOWER_LIP, UPPER_LIP
from .portrait import POSES, open_stage, strike

SIZE = 512
CONFIDENCE = 0.9
LANDMARKS = 468
RIGHT_EYE = list(dict.fromkeys(EYE_UPPER + EYE_LOWER))
LEFT_EYE = [263, 466, 388, 387, 386, 385, 384, 398, 362, 249, 390, 373, 374, 380, 381, 382]
LIPS = sorted({v for ring in (*UPPER_LIP, *LOWER_LIP) for v in ring})


@dataclass(frozen=True)
class Reading:
    """One picture: own (468, 2) projected places and read (468, 2) FaceMesh's (None: not found), pixels from the top
    left corner."""

    name: str
    own: np.ndarray
    read: np.ndarray | None

    @property
    def interocular(self) -> float:
        """Pixels between the means of the landmarks round each eye."""
        return float(np.linalg.norm(self.own[RIGHT_EYE].mean(0) - self.own[LEFT_EYE].mean(0)))

    def rms(self, landmarks: list[int] | None = None) -> float:
        """Root mean square error over the landmarks (all by default), percent of the inter-ocular distance."""
        if self.read is None:
            return float("nan")
        error = (self.read - self.own)[slice(None) if landmarks is None else landmarks]
        return float(100 * np.sqrt((error**2).sum(1).mean()) / self.interocular)

    def summary(self) -> dict:
        """What is printed."""
        figures = {"rms": self.rms(), "lips": self.rms(LIPS), "eyes": self.rms(RIGHT_EYE + LEFT_EYE)}
        figures |= {"interocular_px": self.interocular}
        return {"name": self.name, "found": self.read is not None} | {
            key: None if np.isnan(value) else round(value, 2) for key, value in figures.items()
        }


def projected_landmarks(rig) -> np.ndarray:
    """(468, 2) the rig's landmarks in the picture of the scene's camera, pixels from the top left corner."""
    import bpy

    from erlnet_blender.scene.rig import head_of, mesh_of

    head = head_of(rig)
    bpy.context.view_layer.update()
    mesh = mesh_of(rig).evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(3 * len(head.v_template), np.float32)
    mesh.data.vertices.foreach_get("co", flat)
    places = np.einsum(
        "lk,lkc->lc", head.landmark_bary[:LANDMARKS], flat.reshape(-1, 3)[head.faces[head.landmark_faces[:LANDMARKS]]]
    )
    return picture_places(mesh.matrix_world, places)


def picture_places(matrix_world, points: np.ndarray) -> np.ndarray:
    """(N, 2) object-space points in the picture of the scene's camera, pixels from the top left corner."""
    import bpy
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    scene = bpy.context.scene
    bpy.context.view_layer.update()
    seen = np.array([world_to_camera_view(scene, scene.camera, matrix_world @ Vector(p))[:2] for p in points])
    size = scene.render.resolution_x, scene.render.resolution_y
    return np.stack([seen[:, 0], 1 - seen[:, 1]], 1) * size


def read_landmarks(pictures: Iterable[Path], confidence: float = CONFIDENCE) -> list[np.ndarray | None]:
    """(468, 2) pixels that FaceMesh reads in each picture on its own; None where it finds no face."""
    from mediapipe.python.solutions import face_mesh
    from PIL import Image

    found: list[np.ndarray | None] = []
    with face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1, min_detection_confidence=confidence) as tracker:
        for picture in pictures:
            image = np.asarray(Image.open(picture).convert("RGB"))
            faces = tracker.process(image).multi_face_landmarks
            size = image.shape[1], image.shape[0]
            found.append(np.array([(p.x, p.y) for p in faces[0].landmark[:LANDMARKS]]) * size if faces else None)
    return found


def judge(names: list[str], yaws: list[float], folder: Path, samples: int = 16) -> list[Reading]:
    """Render the poses at each yaw of the camera (degrees) into `folder` and read them."""
    import bpy

    folder.mkdir(parents=True, exist_ok=True)
    rig = open_stage(SIZE, samples)
    pictures, own = [], []
    for name in names:
        for yaw in yaws:
            pose = POSES[name]
            strike(rig, pose | {"azimuth": pose.get("azimuth", 0) + yaw})
            pictures.append(folder / f"{name}_{yaw:+.0f}.png")
            own.append(projected_landmarks(rig))
            bpy.context.scene.render.filepath = str(pictures[-1])
            bpy.ops.render.render(write_still=True)
    readings = [Reading(p.stem, o, r) for p, o, r in zip(pictures, own, read_landmarks(pictures), strict=True)]
    for reading, picture in zip(readings, pictures, strict=True):
        _draw(reading, picture)
    return readings


def _draw(reading: Reading, picture: Path) -> None:
    from PIL import Image, ImageDraw

    image = Image.open(picture).convert("RGB")
    pen = ImageDraw.Draw(image)
    for places, colour in ((reading.own, (0, 255, 0)), (reading.read, (255, 0, 0))):
        for x, y in () if places is None else places:
            pen.ellipse((x - 1, y - 1, x + 1, y + 1), fill=colour)
    image.save(picture.with_name(f"{picture.stem}_read.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("poses", nargs="*", help="of studio.portrait; by default neutral")
    parser.add_argument("--yaws", type=float, nargs="+", default=[0.0], help="of the camera, degrees")
    parser.add_argument("--samples", type=int, default=16, help="of Cycles, a pixel")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/landmarks"), help="folder for the pictures")
    arguments = parser.parse_args()
    for reading in judge(arguments.poses or ["neutral"], arguments.yaws, arguments.output, arguments.samples):
        print(json.dumps(reading.summary()))


if __name__ == "__main__":
    main()
