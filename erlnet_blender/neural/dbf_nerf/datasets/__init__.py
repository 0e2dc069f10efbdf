"""Datasets of other projects: told apart by what is in them, and converted to captures of ours."""

from .conversion import STILL, TRACKED, as_capture, dialect_of, is_capture

__all__ = ["STILL", "TRACKED", "as_capture", "dialect_of", "is_capture"]
