"""Run pytest inside a real Blender: blender -b --factory-startup --python tests/in_blender.py -- PACKAGES [ARGUMENTS].

PACKAGES is a folder with pytest and nothing compiled, so it fits whatever Python Blender has. All arguments after it
are pytest's. NumPy is Blender's own, and there is no torch: tests that need it are skipped.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> int:
    """The exit status of pytest."""
    packages, *arguments = sys.argv[sys.argv.index("--") + 1 :]
    root = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(root)]
    sys.path.append(str(Path(packages).resolve()))
    os.chdir(root)
    import pytest

    return int(pytest.main(["-p", "no:cacheprovider", *arguments]))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Blender's own way out takes seconds and says nothing about the tests.
    os._exit(status)
