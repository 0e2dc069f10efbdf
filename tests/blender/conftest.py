"""Every Blender test starts from an empty file."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture(autouse=True)
def _empty_scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
