"""Every Blender test starts from an empty file."""

from __future__ import annotations

import bpy
import pytest

from erlnet_blender.scene.rig import build_rig

from .synthetic_head import synthetic_head


@pytest.fixture(autouse=True)
def _empty_scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def head():
    return synthetic_head()


@pytest.fixture
def rig(head):
    bpy.context.scene.render.fps = 25
    return build_rig(head)
