"""The sidebar tab in the order of work, and panels in the sequencer and the render properties."""
