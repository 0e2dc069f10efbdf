"""The render engine `ERLNET`: Blender's side of DBF-NeRF. It computes nothing itself."""

from __future__ import annotations

import bpy

from ..errors import Cancelled, ErlnetError
from ..worker import protocol
from ..worker.client import WorkerClient
from . import passes
from .connection import stop_requested, worker
from .shot import Shot, border_of, take_shot
from .viewport import Viewport

RENDER_TIMEOUT_S = 1800.0
POLL_S = 0.05

# What has been said once and need not be repeated at every frame.
_warned: set[str] = set()


class ErlnetRenderEngine(bpy.types.RenderEngine):
    """Renders the scene's head as its neural avatar."""

    bl_idname = "ERLNET"
    bl_label = "ERLNet"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_eevee_viewport = True
    bl_use_shading_nodes_custom = False

    # Why the latest render failed, for scripts, which get no more than text from Blender.
    last_failure: ErlnetError | None = None

    # Blender's way of calling __init__ has changed with its versions, so there is none.
    client: WorkerClient | None = None
    shot: Shot | None = None
    failure: ErlnetError | None = None
    viewport: Viewport | None = None

    def __del__(self):
        try:
            viewport = self.viewport
        except ReferenceError:  # freed by Blender before
            return
        if viewport is not None:
            viewport.close()

    def update_render_passes(self, scene=None, renderlayer=None):
        """Tell Blender which passes a view layer will get."""
        for render_pass in passes.asked_passes(renderlayer):
            self.register_pass(scene, renderlayer, *render_pass)

    def update(self, data, depsgraph):
        """Copy what is to be rendered; the only place where scene data may be read."""
        self.shot, self.failure = None, None  # with Persistent Data an engine renders more than one frame
        try:
            self.client = worker()
            self._check_settings(depsgraph.scene.render)
            camera = self.camera_override or depsgraph.scene.camera
            shot = take_shot(depsgraph, camera, self.resolution_x, self.resolution_y)
            self.shot = border_of(shot, depsgraph.scene)
        except ErlnetError as error:
            self.failure = error

    def render(self, depsgraph):
        """Let the worker render the shot, and hand its image to Blender."""
        if self.failure is None and self.shot is not None and self.client is not None:
            try:
                self._render_shot(self.client, self.shot, depsgraph)
            except ErlnetError as error:
                self.failure = error
        if self.failure is not None:
            ErlnetRenderEngine.last_failure = self.failure
            # Only a report of type ERROR keeps Blender from saving a black picture and going on.
            self.error_set(str(self.failure))
            self.report({"ERROR"}, str(self.failure))

    def view_update(self, context, depsgraph):
        """The scene has changed."""
        if self.viewport is None:
            self.viewport = Viewport(self)
        self.viewport.scene_changed()

    def view_draw(self, context, depsgraph):
        """Draw the last finished picture; ask for a new one if the view has moved."""
        if self.viewport is None:
            self.viewport = Viewport(self)
        self.viewport.draw(context, depsgraph)

    def _check_settings(self, settings: bpy.types.RenderSettings) -> None:
        if settings.use_multiview:
            raise ErlnetError("Stereoscopy is not supported", "", "turn it off in the output properties")
        if settings.use_motion_blur and "motion blur" not in _warned:
            _warned.add("motion blur")
            self.report({"WARNING"}, "ERLNet has no motion blur, the frames are rendered without")

    def _render_shot(self, client: WorkerClient, shot: Shot, depsgraph: bpy.types.Depsgraph) -> None:
        result = self.begin_result(0, 0, shot.camera.width, shot.camera.height, layer=depsgraph.view_layer.name)
        finished = False
        try:
            image = self._wait_for_image(client, shot)
            if image is not None:
                rgba = passes.in_working_space(image["rgba"], passes.working_space())
                layer = result.layers[0]
                passes.write_pass(layer, "Combined", passes.combined(rgba, passes.background_of(depsgraph.scene)))
                depth = passes.planar_depth(image["depth"], rgba[..., 3], shot.camera, shot.scale)
                passes.write_pass(layer, "Depth", depth)
                finished = True
        finally:
            self.end_result(result, cancel=not finished, do_merge_results=False)

    def _wait_for_image(self, client: WorkerClient, shot: Shot) -> dict | None:
        """The images of the worker; None if the user stopped the render."""
        header, arrays = shot.request()
        request = client.submit(protocol.RENDER, header, arrays, RENDER_TIMEOUT_S)
        try:
            while not self._is_escaped():
                if stop_requested.is_set():
                    raise Cancelled
                for event in client.poll(request):
                    if event.error is not None:
                        raise event.error
                    if event.kind == protocol.RESULT:
                        return event.arrays
                    if event.kind == protocol.CANCELLED:
                        return None
                    self.update_progress(event.header.get("fraction", 0.0))
                    self.update_stats("", event.header.get("text", ""))
                client.wait(POLL_S)
            return None
        finally:
            client.cancel(request)
            client.poll(request)

    def _is_escaped(self) -> bool:
        return self.test_break()
