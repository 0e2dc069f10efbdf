"""What training shows of itself: pictures of frames that it does not learn from, and whether they still get better."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ....face_track import FaceTrack
from ..avatar import Avatar
from ..dataset import CaptureDataset
from ..driving_mesh import DrivingMesh
from ..evaluation import pictures, psnr, save_comparison
from ..renderer import AvatarRenderer

_SHOTS = 3
_BETTER_DB = 0.05


class Previews:
    """Looks at a few held-out shots, or training ones where there are none.

    Args:
        out: of the avatar; the picture lies beside it, as `.preview.png`.
        patience: looks without progress after which `stale` is true; None: never.
    """

    def __init__(
        self, avatar: Avatar, mesh: DrivingMesh, capture: CaptureDataset, out: Path, patience: int | None
    ) -> None:
        held_out = capture.of("val") or capture.of("test") or capture.of("train")
        places = np.unique(np.linspace(0, len(held_out) - 1, _SHOTS).astype(int))
        self.shots = [held_out[place] for place in places]
        self.capture, self.path = capture, out.with_suffix(".preview.png")
        self.track_path, self.patience = out.with_suffix(".track.npz"), patience
        # It shares the network that is being trained, and its mesh.
        self.renderer = AvatarRenderer(avatar, mesh.head, mesh.device.type)
        self.renderer.mesh = mesh
        self.best, self.waited = -np.inf, 0

    @property
    def stale(self) -> bool:
        """Whether the held-out pictures have not got better for `patience` looks."""
        return self.patience is not None and self.waited >= self.patience

    def look(self, refined: FaceTrack | None, step: int) -> str:
        """Write the picture and the refined track, and say how close the pictures are."""
        if refined is not None:
            refined.save(self.track_path)
        found = []
        for shot in self.shots:
            truth, ours = pictures(self.renderer, self.capture, shot)
            found.append(psnr((truth - ours) ** 2))
        save_comparison(self.renderer, self.capture, self.shots, self.path)
        value = float(np.mean(found))
        self.waited = 0 if value > self.best + _BETTER_DB else self.waited + 1
        self.best = max(self.best, value)
        return f"step {step} held out {value:.2f} dB, best {self.best:.2f}; {self.path.name}"
