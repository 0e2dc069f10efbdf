"""Build the extension that Blender installs: ``python -m studio.extension -o build``."""

from __future__ import annotations

import argparse
import tomllib
import zipfile
from pathlib import Path

from erlnet_blender.formats.atomic import atomic_path

PACKAGE = Path(__file__).resolve().parent.parent / "erlnet_blender"


def package_files() -> list[Path]:
    """What goes into the zip: code, manifest and assets; no caches, no hidden files."""
    wanted = {".py", ".toml", ".npz", ".safetensors", ".json", ".flac", ".md"}
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in wanted and "__pycache__" not in path.parts)


def build(folder: Path) -> Path:
    """Write ``erlnet_blender-VERSION.zip`` into `folder`, the same bytes for the same files."""
    manifest = tomllib.loads((PACKAGE / "blender_manifest.toml").read_text())
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*package_files(), PACKAGE.parent / "LICENSE"]:
            name = path.name if path.name == "LICENSE" else path.relative_to(PACKAGE).as_posix()
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("build"), help="folder of the zip")
    target = build(parser.parse_args().output)
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
