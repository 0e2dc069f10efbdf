"""`python -m studio.gallery` renders both preset heads in Cycles into docs/contact_sheet.jpg and judges them.

Every picture within 30 degrees of the front is read by FaceMesh (see `studio.judge_landmarks`), and the figures go to
docs/gallery.md. With names of poses it renders those only and judges nothing: `python -m studio.gallery smile --close`.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from erlnet_blender.formats.atomic import atomic_path, write_bytes
from erlnet_blender.head_presets import PRESETS

from .judge_landmarks import Reading, projected_landmarks, read_landmarks
from .portrait import POSES, open_stage, strike

SIDES = {"front": 0, "30° left": 30, "30° right": -30, "profile": 90, "back": 150}
EXPRESSIONS = {
    "default": (
        "jaw_open", "smile", "smile_open", "pucker", "funnel", "bilabial", "f_tuck", "stretch", "lips_in", "cheeks_in",
        "brows_up", "angry", "sad", "disgust", "fear", "blink", "wink", "look_aside", "puff", "tongue",
    ),
    "second": ("smile_open", "jaw_open", "pucker", "brows_up", "blink"),
}  # fmt: skip
COLUMNS, TILE, CAPTION = 5, 288, 22
# The project's own goals, percent of the inter-ocular distance.
FRONTAL_LIMIT, LIMIT, JUDGED_DEG = 3.5, 5.5, 30
# Closer than the portrait, as a tracker for faces wants it, and higher for the hair; the perspective is the same.
_ENLARGED, _RAISED = 1.2, 0.14
_PAPER, _INK = (24, 26, 28), (214, 214, 210)


@dataclass(frozen=True)
class Tile:
    """One picture of the sheet: whose, of what, from which side (degrees round the head)."""

    preset: str
    pose: str
    azimuth: float
    caption: str

    @property
    def judged(self) -> bool:
        """Whether FaceMesh is asked: it looks for faces, not for the backs of heads."""
        return abs(self.azimuth) <= JUDGED_DEG

    @property
    def limit(self) -> float:
        """What the landmarks may be off, percent of the inter-ocular distance."""
        return FRONTAL_LIMIT if self.pose == "neutral" and self.azimuth == 0 else LIMIT


def sheet() -> list[Tile]:
    """The pictures in their order: each head from its sides, then its expressions."""
    tiles = []
    for preset, names in EXPRESSIONS.items():
        tiles += [Tile(preset, "neutral", azimuth, side) for side, azimuth in SIDES.items()]
        tiles += [Tile(preset, name, 0, name.replace("_", " ")) for name in names]
    return tiles


def render_sheet(tiles: list[Tile], folder: Path, size: int, samples: int) -> list[Reading | None]:
    """Render every tile to `folder`/NUMBER.png and read the judged ones."""
    import bpy

    rig, preset, own = None, "", {}
    for number, tile in enumerate(tiles):
        if tile.preset != preset:
            rig, preset = open_stage(size, samples, tile.preset), tile.preset
            lens = bpy.context.scene.camera.data
            lens.lens, lens.shift_y = lens.lens * _ENLARGED, _RAISED
        strike(rig, POSES[tile.pose] | {"azimuth": tile.azimuth})
        if tile.judged:
            own[number] = projected_landmarks(rig)
        bpy.context.scene.render.filepath = str(folder / f"{number}.png")
        bpy.ops.render.render(write_still=True)
    read = read_landmarks([folder / f"{number}.png" for number in own])
    readings = dict(zip(own, read, strict=True))
    return [
        Reading(tile.caption, own[number], readings[number]) if number in own else None
        for number, tile in enumerate(tiles)
    ]


def lay_out(pictures: list[Path], captions: list[str], output: Path) -> None:
    """Shrink the pictures to tiles with their captions below, COLUMNS to a row, into one JPEG."""
    from PIL import Image, ImageDraw, ImageFont

    columns = min(COLUMNS, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    page = Image.new("RGB", (columns * (TILE + 2), rows * (TILE + CAPTION)), _PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = number % columns * (TILE + 2), number // columns * (TILE + CAPTION)
        page.paste(Image.open(picture).convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 5, y + TILE + 3), caption, fill=_INK, font=font)
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(output) as temporary:
        page.save(temporary, "JPEG", quality=88, optimize=True)


def table(tiles: list[Tile], readings: list[Reading | None]) -> str:
    """The figures as a Markdown table, and how many keep to their limit."""
    lines = ["| head | picture | found | landmarks, % | allowed, % |", "|---|---|---|---|---|"]
    kept = judged = 0
    for tile, reading in zip(tiles, readings, strict=True):
        if reading is None:
            continue
        found, rms = reading.read is not None, reading.rms()
        judged, kept = judged + 1, kept + (found and rms <= tile.limit)
        figure = f"{rms:.1f}{'' if rms <= tile.limit else ' (over)'}" if found else "-"
        label = PRESETS[tile.preset].label
        lines.append(f"| {label} | {tile.caption} | {'yes' if found else 'no'} | {figure} | {tile.limit} |")
    return "\n".join([*lines, "", f"{kept} of {judged} pictures keep to their limit."])


def write_figures(text: str, size: int, samples: int, output: Path) -> None:
    """docs/gallery.md: the table with the command that made it."""
    page = (
        "# The heads, as a face tracker sees them\n\n"
        f"Made by `python -m studio.gallery --size {size} --samples {samples}` (`make gallery`), which also makes\n"
        "[the contact sheet](contact_sheet.jpg). MediaPipe FaceMesh reads every picture within 30° of the front, each\n"
        "on its own, at confidence 0.9. The figure is the root mean square over its 468 landmarks of the distance\n"
        "to the head's own projected ones, in percent of the distance between the eyes' middles.\n\n"
    )
    write_bytes(output, (page + text + "\n").encode())


def chosen_poses(names: list[str], output: Path, size: int, samples: int, preset: str, close: bool) -> None:
    """Render the named poses only; `close` frames eyes and mouth."""
    import bpy

    with tempfile.TemporaryDirectory() as folder:
        rig = open_stage(size, samples, preset)
        paths = []
        for name in names:
            strike(rig, POSES[name] | ({"distance": 0.50, "aim": (0, -0.005, 0.02)} if close else {}))
            paths.append(Path(folder) / f"{name}.png")
            bpy.context.scene.render.filepath = str(paths[-1])
            bpy.ops.render.render(write_still=True)
        lay_out(paths, names, output)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studio.gallery", description=__doc__)
    parser.add_argument("poses", nargs="*", help=f"of {', '.join(POSES)}; by default the contact sheet")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/contact_sheet.jpg"))
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--preset", choices=list(PRESETS), default="default", help="whose named poses")
    parser.add_argument("--close", action="store_true", help="frame the eyes and the mouth of named poses")
    arguments = parser.parse_args()
    size, samples, output = arguments.size, arguments.samples, arguments.output
    if arguments.poses:
        chosen_poses(arguments.poses, output, size, samples, arguments.preset, arguments.close)
        print(f"{output}: {len(arguments.poses)} poses")
        return
    start, tiles = time.monotonic(), sheet()
    with tempfile.TemporaryDirectory() as folder:
        readings = render_sheet(tiles, Path(folder), size, samples)
        pictures = [Path(folder) / f"{number}.png" for number in range(len(tiles))]
        lay_out(pictures, [f"{PRESETS[tile.preset].label}, {tile.caption}" for tile in tiles], output)
    text = table(tiles, readings)
    write_figures(text, size, samples, output.with_name("gallery.md"))
    print(text)
    print(f"{output}: {len(tiles)} pictures, {output.stat().st_size / 1e3:.0f} kB, {time.monotonic() - start:.0f} s")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
