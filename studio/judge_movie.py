"""Judge a talking-head movie by a face detector that never saw our head.

``python -m studio.judge_movie build/demo/demo.mp4 build/demo/demo.blend`` prints one JSON object:

- ``frames``, ``fps``, ``video_s``, ``audio_s``: what the movie holds;
- ``face_found``: share of frames in which MediaPipe FaceMesh (video of stills, confidence 0.9) finds a face;
- ``lip_correlation``: Pearson correlation, over those frames, of the inner-lip opening that FaceMesh reads
  (distance of landmarks 13 and 14 over that of the outer eye corners 33 and 263) with the opening of the
  evaluated rig (the same two landmarks on the mesh that Blender evaluates, in millimetres).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

UPPER_LIP, LOWER_LIP, RIGHT_EYE, LEFT_EYE = 13, 14, 33, 263


def read_movie(path: Path) -> tuple[np.ndarray, dict[str, float]]:
    """(N, H, W, 3) uint8 frames, and frames, fps, video_s, audio_s."""
    import av

    with av.open(str(path)) as movie:
        video = movie.streams.video[0]
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in movie.decode(video)])
        fps = float(video.average_rate or 0)
    with av.open(str(path)) as movie:
        samples = sum(frame.samples for frame in movie.decode(movie.streams.audio[0])) if movie.streams.audio else 0
        rate = movie.streams.audio[0].rate if movie.streams.audio else 1
    return frames, {"frames": len(frames), "fps": fps, "video_s": len(frames) / fps, "audio_s": samples / rate}


def detected_openings(frames: np.ndarray, confidence: float = 0.9) -> np.ndarray:
    """(N,) lip opening over the distance of the eyes as FaceMesh reads it; NaN where it finds no face."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    openings = np.full(len(frames), np.nan)
    with FaceMesh(static_image_mode=True, refine_landmarks=False, min_detection_confidence=confidence) as detector:
        for index, frame in enumerate(frames):
            found = detector.process(np.ascontiguousarray(frame)).multi_face_landmarks
            if found:
                points = np.array([[p.x * frame.shape[1], p.y * frame.shape[0]] for p in found[0].landmark])
                eyes = np.linalg.norm(points[LEFT_EYE] - points[RIGHT_EYE])
                openings[index] = np.linalg.norm(points[UPPER_LIP] - points[LOWER_LIP]) / eyes
    return openings


def rig_openings(blend: Path) -> np.ndarray:
    """(N,) lip opening in mm of the evaluated mesh in every frame of the scene."""
    import bpy

    from erlnet_blender import addon
    from erlnet_blender.scene.rig import find_rig, head_of, mesh_of

    addon.register()
    try:
        bpy.ops.wm.open_mainfile(filepath=str(blend), use_scripts=False)
        rig = find_rig(bpy.context)
        head, mesh = head_of(rig), mesh_of(rig)
        corners = head.faces[head.landmark_faces[[UPPER_LIP, LOWER_LIP]]]
        weights = head.landmark_bary[[UPPER_LIP, LOWER_LIP]]
        scene, openings = bpy.context.scene, []
        for frame in range(scene.frame_start, scene.frame_end + 1):
            scene.frame_set(frame)
            evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
            vertices = np.empty(3 * len(evaluated.vertices), np.float32)
            evaluated.vertices.foreach_get("co", vertices)
            upper, lower = (vertices.reshape(-1, 3)[corners] * weights[..., None]).sum(1)
            openings.append(1000 * np.linalg.norm(upper - lower))
    finally:
        addon.unregister()
    return np.array(openings)


def judge(movie: Path, blend: Path) -> dict[str, float]:
    """The figures that the module's text defines."""
    frames, figures = read_movie(movie)
    seen, true = detected_openings(frames), rig_openings(blend)
    count = min(len(seen), len(true))
    found = np.isfinite(seen[:count])
    correlation = np.corrcoef(seen[:count][found], true[:count][found])[0, 1] if found.sum() > 2 else float("nan")
    return {**figures, "face_found": float(found.mean()), "lip_correlation": float(correlation)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movie", type=Path)
    parser.add_argument("blend", type=Path)
    arguments = parser.parse_args()
    print(json.dumps({key: round(value, 3) for key, value in judge(arguments.movie, arguments.blend).items()}))


if __name__ == "__main__":
    main()
