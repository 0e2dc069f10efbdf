"""Reading a corpus folder: items of filmed people carry how they really moved."""

import json

import numpy as np
import pytest
import soundfile

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import ARTICULATION, MOUTH, PHONE_CLASSES
from erlnet_blender.neural.adf.corpus.folder import TRACKED, SpeechCorpus


def one_item(folder, **arrays):
    """A corpus of one recording of a second, opened."""
    soundfile.write(folder / "a.flac", np.zeros(16000), 16000)
    np.savez(folder / "a.npz", motion=np.zeros((100, len(ARTICULATION)), np.float16), phones=np.zeros(100, np.int8),
             accents=np.zeros(100, np.float16), **arrays)  # fmt: skip
    index = {"format": "erlnet-speech-corpus", "version": 1, "channels": list(ARTICULATION), "sample_rate_hz": 16000,
             "phone_classes": list(PHONE_CLASSES), "motion_rate_hz": 100,
             "items": [{"name": "a", "split": "train"}]}  # fmt: skip
    (folder / "corpus.json").write_text(json.dumps(index))
    return SpeechCorpus(folder)


def test_tracked_motion_comes_with_its_recording(tmp_path):
    tracked = {name: np.full((100, width), 0.25, np.float16) for name, width in TRACKED.items()}
    corpus = one_item(tmp_path, **tracked)
    found = corpus.read(corpus.entries("train")[0]).tracked
    assert found is not None
    assert found.mouth.shape == (100, len(MOUTH))
    assert found.mouth.dtype == np.float32
    assert (found.gaze == 0.25).all()


def test_rule_made_items_have_none(tmp_path):
    corpus = one_item(tmp_path)
    assert corpus.read(corpus.entries("train")[0]).tracked is None


def test_tracked_motion_of_another_length_is_refused(tmp_path):
    tracked = {name: np.zeros((100, width)) for name, width in TRACKED.items()}
    corpus = one_item(tmp_path, **{**tracked, "head": np.zeros((99, 3))})
    with pytest.raises(ErlnetError, match="lacks head"):
        corpus.read(corpus.entries("train")[0])
