"""What panels write stays inside them."""

import random

import blf
import pytest

from erlnet_blender.panels.sections import lines_of
from erlnet_blender.scene.controls import SEMANTIC

# Beside its number, in one of two columns of a sidebar as wide as Blender opens it; measured in the window.
ROOM_PIXELS = 54


def test_lines_are_broken_at_spaces_and_as_full_as_they_can_be():
    text = "There is no sound strip in the sequencer, add a voice recording first"
    lines = lines_of(text, lambda line: len(line) <= 30)
    assert " ".join(lines) == text
    for line, following in zip(lines, lines[1:], strict=False):
        assert len(f"{line} {following.split()[0]}") > 30


@pytest.mark.parametrize("seed", range(5))
def test_no_line_is_wider_than_the_panel_and_nothing_is_lost(seed):
    chance = random.Random(seed)
    words = ["x" * chance.choice((1, 3, 8, 25, 70)) for _ in range(20)]
    lines = lines_of(" ".join(words), lambda line: len(line) <= 20)
    assert max(map(len, lines)) <= 20
    assert "".join(lines).replace(" ", "") == "".join(words)


def test_an_empty_text_is_a_line():
    assert lines_of("", lambda line: True) == [""]


@pytest.mark.parametrize("label", [label for label, *_ in SEMANTIC.values()])
def test_the_label_of_a_slider_is_not_cut(label):
    blf.size(0, 11)
    assert blf.dimensions(0, label)[0] <= ROOM_PIXELS
