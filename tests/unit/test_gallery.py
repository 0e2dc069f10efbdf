"""The presets and the contact sheet's plan: everything that they name exists."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.head_presets import LOOKS, PRESETS
from studio.gallery import COLUMNS, TILE, lay_out, sheet, table
from studio.judge_landmarks import Reading
from studio.portrait import POSES


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


def test_presets_are_shapes_and_looks_that_exist(head):
    assert {"default", "second"} <= set(PRESETS)
    for name, preset in PRESETS.items():
        assert name == preset.name
        assert preset.look in LOOKS
        values = preset.coefficients(head.meta["shape_names"])
        assert len(values) == head.shapedirs.shape[-1]
        assert np.abs(values).max() <= 3
        assert default_head_path().with_name(f"{LOOKS[preset.look].hair}.npz").stat().st_size < 1.5e6
    assert not any(PRESETS["default"].coefficients(head.meta["shape_names"]))
    assert any(PRESETS["second"].coefficients(head.meta["shape_names"]))
    with pytest.raises(ErlnetError, match="no shape component"):
        PRESETS["second"].coefficients([])


def test_sheet_shows_both_heads_from_five_sides_and_twenty_expressions(head):
    tiles = sheet()
    for preset in PRESETS:
        sides = {tile.azimuth for tile in tiles if tile.preset == preset and tile.pose == "neutral"}
        assert len(sides) == 5
        assert {0, 30, -30, 90} <= sides
    expressions = [tile for tile in tiles if tile.pose != "neutral"]
    assert len({tile.pose for tile in expressions if tile.preset == "default"}) >= 20
    assert sum(tile.preset == "second" for tile in expressions) >= 5
    for tile in tiles:
        head.expression(POSES[tile.pose].get("expr", {}))  # raises on an unknown name


def test_table_counts_what_keeps_to_its_limit():
    tiles = [tile for tile in sheet() if tile.judged][:3]
    own = np.random.default_rng(0).uniform(0, 300, (468, 2))
    eyes = Reading("", own, own).interocular
    readings = [
        Reading("a", own, own + [0.034 * eyes, 0]),
        Reading("b", own, own + [0, 0.056 * eyes]),
        Reading("c", own, None),
    ]
    text = table(tiles, readings)
    assert "| yes | 3.4 | 3.5 |" in text
    assert "| yes | 5.6 (over) | 5.5 |" in text
    assert "| no | - |" in text
    assert "1 of 3 pictures" in text


def test_sheet_is_laid_out_in_rows(tmp_path):
    paths = []
    for number in range(COLUMNS + 1):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (64, 64), (40 * number, 0, 0)).save(paths[-1])
    lay_out(paths, [path.stem for path in paths], tmp_path / "sheet.jpg")
    page = Image.open(tmp_path / "sheet.jpg")
    assert page.width >= COLUMNS * TILE
    assert page.height >= 2 * TILE
    assert page.getpixel((TILE * 3 // 2, TILE // 2))[0] == pytest.approx(40, abs=6)
