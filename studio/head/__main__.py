"""`python -m studio.head -o erlnet_blender/assets/default_head.npz` builds the default head."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from erlnet_blender.formats.head_model import default_head_path

from .assemble import build_head


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studio.head", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=default_head_path())
    output = parser.parse_args().output
    head = build_head()
    head.save(output, np.float16)
    print(
        f"{output.name}: {len(head.v_template)} vertices, {len(head.faces)} triangles, "
        f"{head.expressiondirs.shape[-1]} expressions, {head.shapedirs.shape[-1]} shapes, "
        f"{output.stat().st_size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
