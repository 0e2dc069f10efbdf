"""The scene that is ready to speak, in Blender's window."""

import bpy
import pytest

from erlnet_blender.scene.stage import show_sequencer


@pytest.mark.skipif(bpy.app.version < (5, 0), reason="the sequencer is the scene's own")
def test_each_workspace_keeps_the_sequencer_that_it_shows_or_else_shows_the_stage():
    spaces, other = list(bpy.data.workspaces), bpy.data.scenes.new("Other")
    assert len(spaces) > 1
    here = bpy.context.workspace
    there = next(workspace for workspace in spaces if workspace != here)
    there.sequencer_scene = other
    show_sequencer(bpy.context, bpy.context.scene)
    assert there.sequencer_scene == other
    assert {workspace.sequencer_scene for workspace in spaces if workspace != there} == {bpy.context.scene}
