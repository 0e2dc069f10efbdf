"""Speak the sentence of the demo: `python -m studio.speech.demo_voice -o erlnet_blender/assets/demo_speech.flac`.

The voice is cmu_us_slt, a statistical (clustergen) voice made from recordings of a real speaker, which comes
with flite under its free BSD-like licence. It is also the voice that training never hears, so the demo shows
the speech model on an unseen speaker. The text has m, b, p, f and v in about four seconds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.atomic import atomic_path

from .flite import speak

TEXT = "Hello, I am Pam. Bring a voice, and my lips follow."
VOICE = "slt"


def write_demo(path: Path) -> float:
    """Write the demo sentence as mono 16-bit FLAC; returns its length in seconds."""
    spoken = speak(TEXT, VOICE)
    samples = spoken.samples / max(1e-6, float(np.abs(spoken.samples).max())) * 0.8
    with atomic_path(path) as temporary:
        soundfile.write(temporary, samples, spoken.sample_rate_hz, format="FLAC", subtype="PCM_16")
    return len(samples) / spoken.sample_rate_hz


def main() -> int:
    """The command line; 0 = written, 2 = flite is missing or refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("erlnet_blender/assets/demo_speech.flac"))
    output = parser.parse_args().output
    try:
        print(f"{output}: {write_demo(output):.2f} s, voice {VOICE}: {TEXT}")
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
