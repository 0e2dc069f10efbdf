"""From pictures of faces to coefficients."""
