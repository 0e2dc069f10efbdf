"""Speed of what users wait for, against the alternative, in one run: ``make bench``.

Writes ``build/bench.json`` and prints a line each, medians over the rounds:

- ``render_256_s``, ``render_512_s``: a frame of the default avatar by `AvatarRenderer`, the torch side alone;
- ``cycles_256_s``: the same pose and size by Cycles at 16 samples with denoising, and ``cycles_over_render``;
- speed and memory of speech to face, see `benchmarks.speech`.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import speech

OUTPUT = Path("build/bench.json")
ROUNDS = 5


def median_s(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median wall time of `work` in seconds, after one round that is not counted."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    figures: dict[str, float | str | int] = {"machine": platform.processor() or platform.machine()}
    figures |= {"cores": os.cpu_count() or 1, "torch": torch.__version__, **render_figures(), **speech.figures()}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:26}{value:.4g}" if isinstance(value, float) else f"{name:26}{value}")


def render_figures() -> dict[str, float]:
    """The avatar at two sizes, and Cycles on the same pose."""
    import numpy as np

    from erlnet_blender.formats.head_model import HeadModel, default_head_path
    from erlnet_blender.neural.dbf_nerf.renderer import AvatarRenderer
    from studio.capture.film import FilmSet
    from studio.capture.poses import shoot

    head = HeadModel.load(default_head_path())
    renderer = AvatarRenderer.load(default_head_path().with_name("default_avatar.safetensors"), device="cpu")
    figures = {}
    for size in (256, 512):
        plan = shoot(head, 1, 1, 0, size, seed=0)
        frame, camera = plan.track[0], plan.cameras[0]
        figures[f"render_{size}_s"] = median_s(lambda f=frame, c=camera: renderer.render(f, c))
    plan = shoot(head, 1, 1, 0, 256, seed=0)
    film = FilmSet(head, 256, os.cpu_count() or 1)
    film.samples(16)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cycles.png"
        figures["cycles_256_s"] = median_s(lambda: film.shoot(plan.track[0], plan.cameras[0], path), rounds=3)
    figures["cycles_over_render"] = figures["cycles_256_s"] / figures["render_256_s"]
    assert np.isfinite(list(figures.values())).all()
    return figures


if __name__ == "__main__":
    main()
