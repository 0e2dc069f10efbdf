"""Faces in a picture: MediaPipe's FaceMesh, 468 landmarks and 10 of the irises (Kartynnik et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ErlnetError

LANDMARKS = 468
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The outline of the face, from the forehead over its own left."""
_MOST_FACES = 6
_CONFIDENCE = 0.5
_ROOM = 2.0
_CROP_SIDE = 512


@dataclass(frozen=True)
class Face:
    """A face as FaceMesh reads it.

    Args:
        points: (478, 3) pixels, x to the right, y down from the top left corner, z away from the camera.
        note: which one it is, where there were several; else empty.
    """

    points: np.ndarray
    note: str

    @property
    def interocular(self) -> float:
        """Pixels between the means of the 16 landmarks round each eye."""
        plane = self.points[:, :2]
        return float(np.linalg.norm(plane[list(RIGHT_EYE)].mean(0) - plane[list(LEFT_EYE)].mean(0)))


def largest_face(image: np.ndarray, where: object = "") -> Face:
    """The largest face of a picture (H, W, 3) uint8; `where` names it in errors.

    Raises:
        ErlnetError: there is no face, or MediaPipe is not installed.
    """
    try:
        from mediapipe.python.solutions import face_detection, face_mesh
    except ImportError as error:
        remedy = "install it in the worker's Python with `make setup`, or pip install mediapipe==0.10.21"
        raise ErlnetError(f"Faces cannot be found without MediaPipe ({error})", "mediapipe", remedy) from error
    options = {"static_image_mode": True, "refine_landmarks": True, "min_detection_confidence": _CONFIDENCE}
    with face_mesh.FaceMesh(max_num_faces=_MOST_FACES, **options) as mesh:
        faces = _read(mesh, image)
    if not faces:
        # FaceMesh looks for faces that fill the picture; another detector finds those farther away, part by part.
        with face_detection.FaceDetection(model_selection=1, min_detection_confidence=_CONFIDENCE) as detector:
            squares = next(filter(None, (_detect(detector, image, share) for share in (1.0, 0.5, 0.25))), [])
        with face_mesh.FaceMesh(max_num_faces=1, **options) as mesh:
            faces = [face for square in squares for face in _read_square(mesh, image, *square)]
    if not faces:
        remedy = "choose a picture of one face from the front, sharp and not turned far"
        raise ErlnetError("No face was found in the picture", where, remedy)
    faces.sort(key=_area)
    chosen = faces[-1]
    note = ""
    if len(faces) > 1:
        x, width = chosen[:, 0].mean(), image.shape[1]
        side = "left" if x < width / 3 else "right" if x > 2 * width / 3 else "middle"
        note = f"{len(faces)} faces were found, the largest one in the {side} of the picture was taken"
    return Face(chosen, note)


def _read(mesh, image: np.ndarray) -> list[np.ndarray]:
    height, width = image.shape[:2]
    found = mesh.process(np.ascontiguousarray(image)).multi_face_landmarks or []
    # z is in units of the picture's width.
    return [np.array([(p.x * width, p.y * height, p.z * width) for p in face.landmark]) for face in found]


def _detect(detector, image: np.ndarray, share: float) -> list[tuple[float, float, float]]:
    """Squares (x, y, side) in pixels round the faces in overlapping parts of the picture, `share` of it each way.

    Parts that overlap see a face twice; the larger of two squares that share a middle is kept.
    """
    height, width = image.shape[:2]
    rows, columns = int(height * share), int(width * share)
    found = []
    for top in range(0, height - rows + 1, max(1, rows // 2)):
        for left in range(0, width - columns + 1, max(1, columns // 2)):
            part = np.ascontiguousarray(image[top : top + rows, left : left + columns])
            for detection in detector.process(part).detections or []:
                box = detection.location_data.relative_bounding_box
                side = _ROOM * max(box.width * columns, box.height * rows)
                x, y = left + (box.xmin + box.width / 2) * columns, top + (box.ymin + box.height / 2) * rows
                found.append((x - side / 2, y - side / 2, side))
    kept: list[tuple[float, float, float]] = []
    for x, y, side in sorted(found, key=lambda square: -square[2]):
        middle = np.array([x + side / 2, y + side / 2])
        if all(np.abs(middle - np.add(other[:2], other[2] / 2)).max() > other[2] / 4 for other in kept):
            kept.append((x, y, side))
    return kept


def _read_square(mesh, image: np.ndarray, x: float, y: float, side: float) -> list[np.ndarray]:
    """FaceMesh on a square of the picture, at a usual size."""
    from PIL import Image

    extent = (x, y, x + side, y + side)
    crop = Image.fromarray(image).transform(
        (_CROP_SIDE, _CROP_SIDE), Image.Transform.EXTENT, extent, Image.Resampling.BICUBIC
    )
    return [face * (side / _CROP_SIDE) + [x, y, 0] for face in _read(mesh, np.asarray(crop))]


def _area(face: np.ndarray) -> float:
    return float(np.prod(np.ptp(face[:, :2], axis=0)))
