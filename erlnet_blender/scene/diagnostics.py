"""What support needs to know, as text: versions, machine, worker, the last job, the last faults. No names of people."""

from __future__ import annotations

import os
import platform
import sys
from collections import deque
from pathlib import Path

import bpy
import numpy as np

from ..errors import ErlnetError
from ..preferences import preferred_python
from ..worker import protocol
from ..worker.client import WorkerClient, shared_client
from ..worker.environment import worker_python
from . import jobs
from .rig import HEAD_ID, find_rig, rigs_of
from .strips import sound_strips

HELLO_S = 20.0
_LOG_LINES = 15
# What operators reported as errors in this session, the newest last.
_faults: deque[str] = deque(maxlen=5)


def note_fault(operator: str, text: str) -> None:
    """Remember what went wrong."""
    _faults.append(f"{operator}: {text.strip()}")


def diagnostics(context: bpy.types.Context) -> str:
    """A page of plain text; starts the worker if that is not busy, to ask what it has (at most 20 s)."""
    lines = ["ERLNet diagnostics", *_versions(context), "", *_worker(), "", *_job(), "", *_scene(context)]
    return "\n".join(without_home(line) for line in lines)


def without_home(text: str) -> str:
    """The text with the home folder as ~."""
    for home in {str(Path.home()), os.path.realpath(Path.home())} - {"/", ""}:
        text = text.replace(home, "~")
    return text


def _versions(context: bpy.types.Context) -> list[str]:
    build = bpy.app.build_hash
    build = build.decode(errors="replace") if isinstance(build, bytes) else build
    window = "no window" if bpy.app.background else f"window, scale {context.preferences.system.ui_scale:g}"
    return [
        f"add-on {_addon_version()} as {__package__.rpartition('.')[0]}",
        f"Blender {bpy.app.version_string} ({build}), {window}",
        f"Python {platform.python_version()}, NumPy {np.__version__}",
        f"{platform.platform(terse=True)}, {os.cpu_count()} cores",
    ]


def _addon_version() -> str:
    manifest = Path(__file__).parents[1] / "blender_manifest.toml"
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return f"of unknown version ({error.strerror})"
    return next((line.split('"')[1] for line in lines if line.startswith("version")), "of unknown version")


def _worker() -> list[str]:
    try:
        lines = [f"worker Python: {worker_python(preferred_python())}"]
        client = shared_client(preferred_python())
    except ErlnetError as error:
        return [f"worker Python: {error}"]
    if jobs.current() is not None:
        lines.append("worker: busy, not asked what it has")
    else:
        lines.append(_hello(client))
    return [*lines, *(f"worker log: {line}" for line in client.log[-_LOG_LINES:])]


def _hello(client: WorkerClient) -> str:
    try:
        answer, _ = client.call(protocol.HELLO, {}, timeout_s=HELLO_S)
    except ErlnetError as error:
        return f"worker: {error}"
    device = answer.get("device") or "no graphics card"
    return f"worker: Python {answer['version']}, torch {answer['torch'] or 'missing'}, {device}"


def _job() -> list[str]:
    running, last = jobs.current(), jobs.last()
    lines = [f"job running: {running.kind}, {running.fraction:.0%} {running.text}"] if running is not None else []
    if last is not None:
        lines.append(f"last job: {last.kind}, {last.state}: {last.message}")
        if last.error is not None and last.error.where:
            lines.append(f"last job's error at: {last.error.where}")
    elif not lines:
        lines.append("last job: none in this session")
    return lines + ([f"fault: {fault}" for fault in _faults] or ["faults: none in this session"])


def _scene(context: bpy.types.Context) -> list[str]:
    scene, rig = context.scene, find_rig(context)
    render = scene.render
    strips = sound_strips(scene)
    packed = sum(strip.sound is not None and strip.sound.packed_file is not None for strip in strips)
    return [
        f"scene: {render.fps / render.fps_base:g} frames a second, {scene.frame_start} to {scene.frame_end}, "
        f"engine {render.engine}, {render.resolution_x} x {render.resolution_y}",
        f"heads: {len(rigs_of(scene))}, chosen: {rig[HEAD_ID] if rig is not None else 'none'}",
        f"sound strips: {len(strips)}, packed {packed}",
        f"command: {Path(sys.executable).name}",
    ]
