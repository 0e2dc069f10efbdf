"""Seconds and megabytes, each measured in a process of its own, as a user's worker is one.

``python -m erlnet_blender.neural.adf.evaluation.speed WEIGHTS SECONDS THREADS`` prints what `_measure` says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ....delivery import Delivery
from ....errors import ErlnetError
from ....formats.audio import read_audio
from ...flame.correspondence import default_head
from ..checkpoint import default_weights_path
from ..features import SAMPLE_RATE_HZ
from ..predictor import SpeechToFace
from ..sound import Sound

THREADS = 2
_FPS = 25.0
_TIMED_S, _SHORT_S, _LONG_S = 60, 10 * 60, 3 * 3600
_TIMES = 3


def speed(weights: str | Path | None = None) -> dict[str, float]:
    """real_time_factor: seconds for a second of sound, whole tracks of 60 s at 25 frames a second, two threads, the
    median of three after one to warm up; load_s: reading weights and building networks, in a fresh process. The same
    in seconds of one busy core (``_cpu``), which other programs on the machine disturb less."""
    found, alone = (_run(weights, _TIMED_S, threads) for threads in (THREADS, 1))
    return {
        "real_time_factor": found["seconds"] / _TIMED_S,
        "real_time_factor_cpu": alone["cpu_seconds"] / _TIMED_S,
        "load_s": min(found["load_s"], alone["load_s"]),
        "load_cpu_s": alone["load_cpu_s"],
    }


def memory(weights: str | Path | None = None) -> dict[str, float]:
    """Peak resident memory, MB, for 10 minutes and 3 hours of sound that is read and written in pieces."""
    short, long = (_run(weights, seconds, 1) for seconds in (_SHORT_S, _LONG_S))
    return {
        "memory_10min_mb": short["peak_mb"],
        "memory_3h_mb": long["peak_mb"],
        "memory_growth": long["peak_mb"] / short["peak_mb"] - 1,
    }


def _run(weights: str | Path | None, seconds: int, threads: int) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, str(weights or default_weights_path()), str(seconds), str(threads)]
    environment = {
        **os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        raise ErlnetError(f"Speed could not be measured: {result.stderr.strip().splitlines()[-1]}")
    return json.loads(result.stdout)


def _measure(weights: Path, seconds: int, threads: int) -> dict[str, float]:
    """seconds and cpu_seconds of a performance, load_s, load_cpu_s, and the peak of this process's memory."""
    torch.set_num_threads(threads)
    head = default_head()
    began, busy = time.perf_counter(), time.process_time()
    model = SpeechToFace.load(weights)
    load_s, load_cpu_s = time.perf_counter() - began, time.process_time() - busy
    times = []
    for _ in range(1 + _TIMES if seconds <= _TIMED_S else 1):
        began, busy = time.perf_counter(), time.process_time()
        for _piece in model.perform(Sound(_speech(seconds)), _FPS, head, Delivery()):
            pass
        times.append((time.perf_counter() - began, time.process_time() - busy))
    taken, busy = np.median(times[-_TIMES:], axis=0)
    return {
        "seconds": float(taken), "cpu_seconds": float(busy), "load_s": load_s, "load_cpu_s": load_cpu_s,
        "peak_mb": _peak_mb(),
    }  # fmt: skip


def _speech(seconds: int) -> Iterator[np.ndarray]:
    """The shipped sentence over and over, in blocks."""
    sentence, rate_hz = read_audio(default_weights_path().with_name("demo_speech.flac"))
    assert rate_hz == SAMPLE_RATE_HZ
    left = seconds * SAMPLE_RATE_HZ
    while left > 0:
        yield sentence[:left]
        left -= len(sentence)


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # unlike ru_maxrss it starts anew with the program
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
