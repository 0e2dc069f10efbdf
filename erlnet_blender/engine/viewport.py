"""The Rendered view: shows the last finished picture and never computes or waits.

At most one request is on its way. What changes meanwhile makes the next one, so the latest view
wins and nothing queues up. While the view moves the picture is small, then it is refined.
"""

from __future__ import annotations

import time

import bpy
import numpy as np

from ..errors import ErlnetError
from ..worker import protocol
from .connection import worker
from .passes import background_of, combined, in_working_space, working_space
from .shot import take_view_shot

TIMER_S = 0.04
RENDER_TIMEOUT_S = 120.0
# The longer side of the picture while the view moves, and when it stands.
DRAFT_PIXELS, FULL_PIXELS = 128, 384
# So long must a view stand still to be refined.
SETTLE_S = 0.3


class Viewport:
    """One Rendered view of one engine instance."""

    def __init__(self, engine: bpy.types.RenderEngine) -> None:
        self._engine = engine
        self._request: int | None = None
        self._requested_view: tuple | None = None
        self._texture = None
        self._image: np.ndarray | None = None
        self._view: tuple | None = None  # what the user looks at: projection, size, scene version
        self._moved_s = 0.0
        self._version = 0
        self._failed_view: tuple | None = None
        self._closed = False
        # Blender knows a timer by its function; a bound method would be a new one at each look.
        self._timer = self._tick

    def scene_changed(self) -> None:
        """The pose, the camera or the settings may differ from what is shown."""
        self._version += 1
        self._engine.tag_redraw()

    def close(self) -> None:
        """Give up what is on its way."""
        self._closed = True
        self._drop_request()

    def draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the last picture and see to the next one."""
        region, view = context.region, context.region_data
        seen = (tuple(map(tuple, view.perspective_matrix)), region.width, region.height, self._version)
        if seen != self._view:
            self._view, self._moved_s = seen, time.monotonic()
        self._listen(depsgraph.scene)
        self._ask(depsgraph, view, region.width, region.height)
        self._draw_image(depsgraph.scene, region.width, region.height)

    def _ask(self, depsgraph, view, width: int, height: int) -> None:
        pixels = FULL_PIXELS if time.monotonic() - self._moved_s > SETTLE_S else DRAFT_PIXELS
        wanted = (self._view, pixels)
        if self._request is not None or self._requested_view in (wanted, (self._view, FULL_PIXELS)):
            return
        if self._failed_view == self._view:
            return
        shrink = min(1.0, pixels / max(width, height, 1))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        try:
            client = worker()
            self._request = client.submit(
                protocol.RENDER, *take_view_shot(depsgraph, view, *size).request(), timeout_s=RENDER_TIMEOUT_S
            )
        except ErlnetError as error:
            self._fail(error)
            return
        self._requested_view = wanted
        if not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=TIMER_S)

    def _tick(self) -> float | None:
        """Wake the view when the worker has something, or when it has stood still long enough to be refined."""
        try:
            if self._closed:
                return None
            refine = self._request is None and self._requested_view == (self._view, DRAFT_PIXELS)
            if self._request is not None or refine:
                self._engine.tag_redraw()
                return TIMER_S
        except ReferenceError:  # Blender has freed the engine
            self.close()
        return None

    def _listen(self, scene: bpy.types.Scene) -> None:
        if self._request is None:
            return
        for event in worker().poll(self._request):
            if not event.is_last:
                continue
            self._request = None
            if event.error is not None:
                self._fail(event.error)
            elif event.kind == protocol.RESULT:
                self._failed_view = None
                rgba = in_working_space(event.arrays["rgba"], working_space())
                self._image = combined(rgba, background_of(scene))
                self._texture = None
                self._engine.update_stats("", "")

    def _fail(self, error: ErlnetError) -> None:
        # Shown at the top of the view; a report would be repeated at every redraw. An old picture would mislead.
        self._failed_view, self._image, self._texture = self._view, None, None
        self._engine.update_stats("", str(error))
        self._engine.tag_redraw()

    def _drop_request(self) -> None:
        if self._request is not None:
            try:
                client = worker()
                client.cancel(self._request)
                client.poll(self._request)
            except ErlnetError:
                pass
            self._request = None

    def _draw_image(self, scene: bpy.types.Scene, width: int, height: int) -> None:
        # Only a Blender with a window has a GPU context.
        import gpu
        from gpu_extras.presets import draw_texture_2d

        if self._image is None:
            return
        if self._texture is None:
            rows = np.ascontiguousarray(self._image[::-1], np.float32)
            size = rows.shape[1], rows.shape[0]
            buffer = gpu.types.Buffer("FLOAT", rows.size, rows.ravel())
            self._texture = gpu.types.GPUTexture(size, format="RGBA16F", data=buffer)
        gpu.state.blend_set("ALPHA_PREMULT")
        self._engine.bind_display_space_shader(scene)
        draw_texture_2d(self._texture, (0, 0), width, height)
        self._engine.unbind_display_space_shader()
        gpu.state.blend_set("NONE")
