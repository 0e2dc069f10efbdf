"""Adapters between Blender's data and the project's own types; they alone touch the user's scene."""
