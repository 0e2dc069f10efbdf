"""Speed and memory of speech to face, as users meet them; part of ``make bench``.

- ``speech_60_s``: 60 s of sound to a track at 25 fps on two threads, the model loaded;
- ``speech_load_s``: loading the model, without ``torch_import_s``;
- ``speech_10_min_mb``, ``speech_3_h_mb``: peak memory of a process that bakes such a recording to a file, and
  ``speech_memory_growth``, what the longer one takes more, as a share.

``python -m benchmarks.speech MINUTES`` bakes one recording and prints the peak in megabytes.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

THREADS, ROUNDS = 2, 5


def figures() -> dict[str, float]:
    """All of them; each in a process of its own."""
    found = json.loads(_in_process("speed"))
    for name, minutes in (("speech_10_min_mb", 10), ("speech_3_h_mb", 180)):
        found[name] = float(_in_process(str(minutes)))
    found["speech_memory_growth"] = found["speech_3_h_mb"] / found["speech_10_min_mb"] - 1
    return found


def _in_process(argument: str) -> str:
    command = [sys.executable, "-m", __name__ if __name__ != "__main__" else "benchmarks.speech", argument]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]


def speed() -> dict[str, float]:
    """Times in seconds, on `THREADS` threads; medians."""
    start = time.perf_counter()
    import torch

    imported = time.perf_counter()
    torch.set_num_threads(THREADS)
    from erlnet_blender.formats.head_model import HeadModel, default_head_path
    from erlnet_blender.neural.adf.predictor import SpeechToFace

    model = SpeechToFace.load()
    loaded = time.perf_counter()
    head = HeadModel.load(default_head_path())
    sound, rate_hz = _speech(60)
    times = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        model.predict(sound, rate_hz, 25.0, head)
        times.append(time.perf_counter() - begun)
    return {
        "torch_import_s": imported - start,
        "speech_load_s": loaded - imported,
        "speech_60_s": statistics.median(times[1:]),
    }


def peak_mb(minutes: int) -> float:
    """Peak memory of this process, in megabytes, after a bake of the demo's sentence over and over, to a file."""
    import soundfile

    from erlnet_blender.delivery import Delivery
    from erlnet_blender.worker.handlers import bake

    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "long.wav"
        minute, rate_hz = _speech(60)
        with soundfile.SoundFile(recording, "w", rate_hz, 1) as file:
            for _ in range(minutes):
                file.write(minute)
        header, arrays = Delivery("happy", emotions={"sad": np.linspace(0, 1, minutes * 1500)}).as_request()
        header |= {"audio": str(recording), "fps": 25.0, "output": str(Path(folder) / "track.npz")}
        bake(header, arrays, lambda *_: None, lambda: False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _speech(seconds: int) -> tuple[np.ndarray, int]:
    from erlnet_blender.formats.audio import read_audio
    from erlnet_blender.formats.head_model import default_head_path

    samples, rate_hz = read_audio(default_head_path().with_name("demo_speech.flac"))
    return np.resize(samples, seconds * rate_hz), rate_hz


if __name__ == "__main__":
    print(json.dumps(speed()) if sys.argv[1] == "speed" else peak_mb(int(sys.argv[1])))
