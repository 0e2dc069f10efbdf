"""Every Blender test starts from an empty file."""

from __future__ import annotations

import os
import sys

import bpy
import pytest

import erlnet_blender
from erlnet_blender.scene.rig import build_rig

from .synthetic_head import synthetic_head

EXIT_STATUS = pytest.StashKey[int]()


@pytest.fixture(autouse=True)
def _empty_scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def enabled(_empty_scene):
    """With the add-on registered."""
    erlnet_blender.register()
    yield
    erlnet_blender.unregister()


@pytest.fixture
def head():
    return synthetic_head()


@pytest.fixture
def rig(head):
    bpy.context.scene.render.fps = 25
    return build_rig(head)


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[EXIT_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End without Blender's clean-up.

    Whatever still refers to bpy when Python ends keeps Blender from closing in order (here: after the glTF add-on),
    and then its module waits for ever for a thread of its own (bpy 4.5: `delayed_close_thread_run`).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if EXIT_STATUS in config.stash:
        os._exit(config.stash[EXIT_STATUS])
