"""Neutral faces of speakers, for vertices: VOCASET's and BIWI's `templates.pkl`, or a file of the speaker's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .....errors import ErlnetError
from .....formats.flame.containers import read_contents
from .....formats.flame.read import opened
from .....formats.flame.records import as_array
from .takes import TEMPLATES


class Templates:
    """What there is below a source folder.

    Raises:
        ErlnetError: there is a file of templates, and it is damaged.
    """

    def __init__(self, source: Path) -> None:
        self.faces: dict[str, np.ndarray] = {}
        found = [path for name in TEMPLATES for path in sorted(source.rglob(name))]
        for path in found:
            with opened(path) as (file, budget):
                contents = read_contents(file, budget)
                if not isinstance(contents, dict):
                    budget.refuse("it is no table of templates by speaker")
                for name, value in contents.items():
                    self._add(str(name), as_array(value, budget, "template"), path)
        for path in sorted(source.rglob("templates/*.npy")):
            with opened(path) as (file, budget):
                self._add(path.stem, as_array(read_contents(file, budget), budget, "template"), path)

    def _add(self, name: str, face: np.ndarray, path: Path) -> None:
        if face.dtype.kind not in "iuf" or face.size % 3 or not np.isfinite(face).all():
            raise ErlnetError(f"The template of {name} holds no vertices", path, "choose its makers' file")
        self.faces[name] = face.reshape(-1, 3).astype(np.float32)

    def of(self, speaker: str) -> np.ndarray | None:
        """(V, 3) the speaker's neutral face, or None."""
        return self.faces.get(speaker)
