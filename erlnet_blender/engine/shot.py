"""One picture to be made: everything the worker needs, copied out of Blender's scene.

A shot holds plain numbers only. It is taken where Blender lets scene data be read (`update` of the
engine) and used where it may not be (`render`, which runs while the user goes on working).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy

from ..camera import Camera
from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..scene.camera import camera_of, camera_of_view, cropped, scale_of
from ..scene.rig import DEFAULT_HEAD, HEAD_PATH, head_path_of, is_rig, read_frame


@dataclass(frozen=True)
class Shot:
    """What the worker renders.

    Args:
        pose: one frame.
        scale: scene units in a metre of the rig.
        avatar, head: paths; empty for the defaults.
        device: auto, cpu or cuda.
        samples: per ray; None for the avatar's own.
    """

    pose: FaceTrack
    camera: Camera
    scale: float
    avatar: str = ""
    head: str = ""
    device: str = "auto"
    samples: int | None = None

    def request(self) -> tuple[dict, dict]:
        """Header and arrays of the worker's render request."""
        header = {
            "camera": self.camera.to_dict(),
            "avatar": self.avatar,
            "head": self.head,
            "device": self.device,
            "samples": self.samples,
        }
        return header, self.pose.arrays()

    def with_camera(self, camera: Camera) -> Shot:
        """The same pose from elsewhere."""
        return replace(self, camera=camera)


def take_shot(depsgraph: bpy.types.Depsgraph, camera_object: bpy.types.Object | None, width: int, height: int) -> Shot:
    """The scene's head through a camera object, at the full size of the frame.

    Raises:
        ErlnetError: there is no head or more than one, or the camera cannot be used.
    """
    rig = visible_rig(depsgraph)
    return _shot(depsgraph, rig, camera_of(depsgraph.scene, camera_object, rig, width, height, depsgraph))


def take_view_shot(depsgraph: bpy.types.Depsgraph, view: bpy.types.RegionView3D, width: int, height: int) -> Shot:
    """The scene's head as a 3D viewport shows it.

    Raises:
        ErlnetError: there is no head or more than one, or the view cannot be used.
    """
    rig = visible_rig(depsgraph)
    return _shot(depsgraph, rig, camera_of_view(view, rig, width, height, depsgraph))


def visible_rig(depsgraph: bpy.types.Depsgraph) -> bpy.types.Object:
    """The one head that is not hidden from the picture.

    Raises:
        ErlnetError: there is none, or more than one.
    """
    rigs = [item.original for item in depsgraph.objects if is_rig(item)]
    if not rigs:
        raise ErlnetError(
            "The scene has no ERLNet head", depsgraph.scene.name, "add one with Add > Mesh > Talking Head"
        )
    if len(rigs) > 1:
        names = ", ".join(sorted(rig.name for rig in rigs))
        raise ErlnetError(f"The scene has {len(rigs)} ERLNet heads", names, "hide all but one from the render")
    return rigs[0]


def border_pixels(scene: bpy.types.Scene, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, width, height) of the part of the frame that Blender wants; cut to whole pixels as Blender does."""
    settings = scene.render
    if not settings.use_border:
        return 0, 0, width, height
    left, right = int(settings.border_min_x * width), int(settings.border_max_x * width)
    bottom, top = int(settings.border_min_y * height), int(settings.border_max_y * height)
    return left, height - top, right - left, top - bottom


def border_of(shot: Shot, scene: bpy.types.Scene) -> Shot:
    """The part of the shot inside the render border.

    Raises:
        ErlnetError: the border is empty.
    """
    left, top, width, height = border_pixels(scene, shot.camera.width, shot.camera.height)
    if width < 1 or height < 1:
        raise ErlnetError("The render region is empty", scene.name, "draw it again with Ctrl+B, or clear it")
    return shot.with_camera(cropped(shot.camera, left, top, width, height))


def _shot(depsgraph: bpy.types.Depsgraph, rig: bpy.types.Object, camera: Camera) -> Shot:
    look, quality = getattr(rig, "erlnet", None), getattr(depsgraph.scene, "erlnet", None)
    avatar = getattr(look, "avatar", "")
    return Shot(
        pose=read_frame(rig, depsgraph),
        camera=camera,
        scale=scale_of(rig.evaluated_get(depsgraph)),
        avatar=bpy.path.abspath(avatar, library=rig.library) if avatar else "",
        head="" if rig.get(HEAD_PATH, DEFAULT_HEAD) == DEFAULT_HEAD else str(head_path_of(rig)),
        device=str(getattr(quality, "device", "auto")).lower(),
        samples=getattr(quality, "samples", 0) or None,
    )
