"""A photograph of a face gives the head its identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..preferences import preferred_python
from ..scene import jobs
from ..scene.rig import DEFAULT_HEAD, HEAD_PATH, check_head, find_rig, head_of, head_path_of, is_rig, set_shape
from ..worker import protocol
from ..worker.client import shared_client
from .explained import Explained, object_mode_reason, rig_reason
from .waiting import WaitsForWorker, busy_reason


class ERLNET_OT_fit_photo(WaitsForWorker, bpy.types.Operator):
    """Shape the head after one photograph of a face from the front; pose, keys and controls stay as they are"""

    bl_idname = "erlnet.fit_photo"
    bl_label = "Fit Head to Photo"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(
        name="Photo", description="A JPEG, PNG, WebP, TIFF or BMP picture", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """One job at a time; a head is needed."""
        return busy_reason() or object_mode_reason(context) or rig_reason(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Without a photo, ask for one."""
        if self.filepath:
            return super().invoke(context, event)
        bpy.ops.erlnet.choose_photo("INVOKE_DEFAULT")
        return {"CANCELLED"}

    def start(self, context: bpy.types.Context) -> jobs.Job:
        """Ask the worker for the coefficients."""
        photo = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not photo.is_file():
            raise ErlnetError("No such picture", self.filepath, "choose a photograph of one face from the front")
        rig = find_rig(context)
        if rig is None:
            raise ErlnetError(rig_reason(context) or "There is no head", context.scene.name)
        head_of(rig)
        self._rig_name, self._photo_name = rig.name, photo.name
        head = "" if rig.get(HEAD_PATH, DEFAULT_HEAD) == DEFAULT_HEAD else str(head_path_of(rig))
        request = {"photo": str(photo), "head": head}
        client = shared_client(preferred_python())
        return jobs.start(client, f"Fitting {photo.name!r}", protocol.FIT_PHOTO, request)

    def finish(self, job: jobs.Job) -> Iterator[float]:
        """Give the rig its identity, all at once."""
        yield 0.0
        rig = bpy.data.objects.get(self._rig_name)
        if rig is None or not is_rig(rig):
            raise ErlnetError("The head was removed during the fit", self._rig_name, "fit another head")
        track = FaceTrack.from_arrays(job.arrays)
        check_head(rig, track)
        set_shape(rig, track.shape)
        residual = f"{100 * job.header['residual']:.1f}\u00a0% of the distance between the eyes"
        return f"Fitted {rig.name} to {self._photo_name!r}, landmarks within {residual}", job.header["notes"]


class ERLNET_OT_choose_photo(Explained, bpy.types.Operator, ImportHelper):
    """Choose the photograph that the head is fitted to"""

    # Apart from the fit, since a file selector ends its operator and the fit goes on listening.
    bl_idname = "erlnet.choose_photo"
    bl_label = "Fit Head to Photo"
    bl_options = {"INTERNAL"}

    filter_glob: bpy.props.StringProperty(default="*.jpg;*.jpeg;*.png;*.webp;*.tif;*.tiff;*.bmp", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """As the fit's."""
        return ERLNET_OT_fit_photo.disabled_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Start the fit."""
        bpy.ops.erlnet.fit_photo("INVOKE_DEFAULT", filepath=self.filepath)


CLASSES = (ERLNET_OT_fit_photo, ERLNET_OT_choose_photo)
