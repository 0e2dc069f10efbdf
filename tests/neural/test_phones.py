"""Which phone is said when."""

import numpy as np
import soundfile

from erlnet_blender.delivery import Delivery
from erlnet_blender.formats.head_model import default_head_path
from erlnet_blender.neural.adf import performance
from erlnet_blender.neural.adf.articulation import PHONE_CLASSES
from erlnet_blender.neural.adf.phones import joined, phone_starts
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.sound import Sound
from erlnet_blender.worker.handlers import _head


def chances(*classes: int) -> np.ndarray:
    """(T, 33) a phone each at 0.8, the rest evenly."""
    rows = np.full((len(classes), len(PHONE_CLASSES)), 0.2 / (len(PHONE_CLASSES) - 1))
    rows[np.arange(len(classes)), classes] = 0.8
    return rows


def test_each_phone_begins_where_it_becomes_likely():
    starts_s, classes = phone_starts(chances(0, 0, 0, 5, 5, 5, 5, 1, 1, 1))
    np.testing.assert_allclose(starts_s, [0, 0.06, 0.14])
    assert classes.tolist() == [0, 5, 1]


def test_a_doubtful_instant_is_no_phone():
    rows = chances(5, 5, 5, 9, 5, 5, 5)
    rows[3, 5], rows[3, 9] = 0.3, 0.5
    assert phone_starts(rows)[1].tolist() == [5]
    assert [len(part) for part in phone_starts(np.zeros((0, len(PHONE_CLASSES))))] == [0, 0]


def test_phones_of_pieces_are_joined():
    starts_s, classes = joined([(np.array([0.0, 1.0]), np.array([0, 4])), (np.array([2.0, 2.5]), np.array([4, 7]))])
    assert (starts_s.tolist(), classes.tolist()) == ([0, 1, 2.5], [0, 4, 7])
    assert [len(part) for part in joined([])] == [0, 0]


def test_acts_do_not_cut_what_is_said(monkeypatch):
    """A recording that is worked through in short acts has the phones of the whole, at the times of the whole."""
    samples, rate_hz = soundfile.read(default_head_path().parent / "demo_speech.flac", dtype="float32")
    model, head = SpeechToFace.load(), _head("")

    def heard() -> tuple[np.ndarray, np.ndarray]:
        performed = model.perform(Sound.of(samples, rate_hz), 25, head, Delivery())
        performed.track()
        return performed.phones

    starts_s, classes = heard()
    assert {PHONE_CLASSES[index] for index in classes} >= {"sil", "m", "b", "s"}
    assert (np.diff(starts_s) > 0).all()
    monkeypatch.setattr(performance, "ACT_FRAMES", 60)
    monkeypatch.setattr(performance, "OVERLAP_FRAMES", 50)
    again_s, again = heard()
    near = [
        np.abs(again_s[again == index] - start_s).min(initial=9) < 0.05
        for start_s, index in zip(starts_s, classes, strict=True)
    ]
    assert np.mean(near) > 0.9
