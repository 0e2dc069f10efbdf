"""`python -m studio.speech -o build/corpus`: synthesise the speech corpus (needs their programs)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from erlnet_blender.errors import ErlnetError

from .aligned_voices import require_commands
from .corpus import build
from .espeak import synthesiser
from .festival import require_festival
from .flite import require_flite


def main() -> int:
    """The command line; 0 = written, 2 = a synthesiser is missing or the folder cannot be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/corpus"))
    parser.add_argument("--espeak-minutes", type=float, default=180.0)
    parser.add_argument("--flite-minutes", type=float, default=130.0)
    parser.add_argument("--festival-minutes", type=float, default=130.0)
    parser.add_argument("--aligned-minutes", type=float, default=292.0, help="of RHVoice and Pico")
    parser.add_argument("--listener", type=Path, help="weights that find phone times, default: the shipped ones")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        synthesiser()
        require_flite()
        require_festival()
        require_commands()
        index = build(
            options.output, options.espeak_minutes, options.flite_minutes, options.festival_minutes,
            options.aligned_minutes, options.seed, options.listener,
        )  # fmt: skip
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    minutes = sum(item["duration_s"] for item in index["items"]) / 60
    print(f"{options.output}: {len(index['items'])} recordings, {minutes:.0f} minutes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
