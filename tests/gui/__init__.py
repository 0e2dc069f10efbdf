"""What only a Blender with its window can show; without one (`BLENDER=/path/to/blender`) these tests are skipped."""
