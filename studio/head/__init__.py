"""Builds the default head: a FLAME-format model made by this project's own code (`python -m studio.head`)."""
