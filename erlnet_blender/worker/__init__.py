"""The process boundary: Blender on one side, torch on the other, pipes in between."""
