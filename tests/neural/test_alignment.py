"""Forced alignment by what the speech model hears: on a sentence whose times are known, and on what is not said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from erlnet_blender.neural.adf.articulation import PHONE_CLASSES
from studio.speech import second_opinion, viterbi
from studio.speech.phones import BILABIAL, SILENCE
from studio.speech.viterbi import _best, _traced, aligned

HERE = Path(__file__).parent
SPEECH = HERE.parents[1] / "erlnet_blender" / "assets" / "demo_speech.flac"
SAID = list("həloaɪæmpæmbɹɪŋəvɔɪsændmaɪlɪpsfɑlo")
NOT_SAID = list("tʃuzdeɪmɔɹnɪŋʃisɛntðəkibɔɹdbæk")


def test_a_known_sentence_is_found_and_another_is_not():
    samples, _ = soundfile.read(SPEECH, dtype="float32")
    closures = json.loads((HERE / "demo_speech_closures.json").read_text())["closures"]
    phones, likelihood = aligned(samples, SAID)
    assert [phone.symbol for phone in phones if phone.symbol != SILENCE] == SAID
    sealed = [phone for phone in phones if phone.symbol in BILABIAL]
    away_s = [abs(phone.start_s - start_s) for phone, (start_s, _) in zip(sealed, closures, strict=True)]
    assert np.median(away_s) <= 0.02
    assert max(away_s) <= 0.08
    assert likelihood > viterbi.LEAST_LIKELY > aligned(samples, NOT_SAID)[1] + 0.5


def test_the_second_opinion_counts_as_the_evaluation_does():
    due, heard = [[0.10, 0.20], [0.50, 0.60], [0.90, 0.95]], [(0.23, 0.30), (0.70, 0.80)]
    figures = second_opinion.counted([(due, heard), ([], [(0.1, 0.2)])])
    assert figures == {"closure_recall": 1 / 3, "closure_false": 2 / 3, "closures": 3}


def test_more_phones_than_frames_are_not_found():
    assert aligned(np.zeros(1600, np.float32), SAID)[0] == []


def test_the_best_path_is_the_best_of_all():
    """Against every way there is, on a few frames; silences may be passed by, phones may not."""
    random = np.random.default_rng(3)
    for _ in range(20):
        cost = random.normal(0, 1, (6, 5))  # silence, phone, silence, phone, silence
        optional = np.array([True, False, True, False, True])
        last, came = _best(cost, optional)
        path = _traced(last, came)
        every = [way for way in _ways(6, 5) if _is_allowed(way)]
        best = max(every, key=lambda way: cost[np.arange(6), way].sum())
        assert path == list(best)


def _ways(frames, states):
    if frames == 0:
        return [()]
    before = _ways(frames - 1, states)
    return [(*way, state) for way in before for state in range(states) if not way or state >= way[-1]]


def _is_allowed(way):
    steps = zip(way, way[1:], strict=False)
    return (
        way[0] in (0, 1)
        and way[-1] in (3, 4)
        and {1, 3} <= set(way)
        and all(b - a <= 1 or (b - a == 2 and a % 2 == 1) for a, b in steps)
    )


def test_every_letter_aligned_has_a_class():
    assert len(PHONE_CLASSES) == viterbi.likelihoods(np.zeros(16000, np.float32)).shape[1]
