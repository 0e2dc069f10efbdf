"""What animators do to a performance after the bake: everything lands on the edit layer, the bake stays as it is."""
