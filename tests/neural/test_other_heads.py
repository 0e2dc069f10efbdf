"""Speech on heads whose expressions have no names."""

import numpy as np
import pytest

from erlnet_blender.face_track import FaceTrack
from erlnet_blender.neural.adf.articulation import USED_EXPRESSIONS
from erlnet_blender.neural.adf.other_heads import expression_map
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.style.factors import values_of
from erlnet_blender.neural.adf.style.measured import track_code
from erlnet_blender.neural.flame.correspondence import correspondence
from erlnet_blender.neural.flame.lbs import FlameTensors, pose_track
from erlnet_blender.neural.flame.refit import refit

from ..flame_files import flame_sized_head

UPPER_LIP, LOWER_LIP, BROW, LID = 13, 14, 105, 159


@pytest.fixture(scope="module")
def speech(head, demo):
    """The demo's sentence on the default head, and on one of FLAME's size."""
    model = SpeechToFace.load()
    return model.predict(demo, 16000, 25, head), model.predict(demo, 16000, 25, flame_sized_head())


def landmarks(head, track):
    """(N, 478, 3) millimetres."""
    points, posed = correspondence(head).landmarks, pose_track(FlameTensors.from_head(head), track).vertices.numpy()
    return 1000 * np.stack([points.on(vertices, head.faces) for vertices in posed])


def lip_gap(head, track):
    places = landmarks(head, track)
    return np.linalg.norm(places[:, UPPER_LIP] - places[:, LOWER_LIP], axis=1)


def test_lips_open_and_close_as_on_the_default_head(head, speech):
    ours, theirs = speech
    flame = flame_sized_head()
    assert theirs.head_id == flame.id
    gaps = lip_gap(head, ours), lip_gap(flame, theirs)
    assert np.corrcoef(*gaps)[0, 1] > 0.99
    assert np.ptp(gaps[1]) > 0.9 * np.ptp(gaps[0])
    closed = gaps[0] < 0.6
    assert closed.sum() > 5
    at_rest = lip_gap(flame, FaceTrack(np.zeros((1, 100)), 25, flame.id))
    assert (np.abs(gaps[1][closed] - at_rest) < 0.5).all()


def test_brows_and_lids_move_too(head, speech):
    ours, theirs = speech
    flame = flame_sized_head()
    assert not theirs.eyelids.any(), "it has no eyelids: they are in its expressions"
    moved = [
        np.linalg.norm(places - places[:1], axis=-1) for places in (landmarks(head, ours), landmarks(flame, theirs))
    ]
    for point in (BROW, LID):
        assert moved[0][:, point].max() > 1
        assert np.corrcoef(moved[0][:, point], moved[1][:, point])[0, 1] > 0.95


def test_the_map_is_as_good_as_refitting_every_frame(head, speech):
    ours, theirs = speech
    flame = flame_sized_head()
    places = [landmarks(flame, track) for track in (theirs, refit(ours, head, flame).track)]
    assert np.sqrt(((places[0] - places[1]) ** 2).sum(-1).mean()) < 0.1


def test_coefficients_stay_within_three_sigma(head):
    translate = expression_map(flame_sized_head())
    # Its few vertices on the lids show little of wide eyes.
    assert set(translate.missing) <= {"eye_wide_L", "eye_wide_R"}
    wild = np.full((1, len(head.expression_names)), 40.0)
    expr, _ = translate(wild, np.zeros((1, 3)), np.zeros((1, 2)))
    assert np.abs(expr).max() == pytest.approx(3.0)
    assert len(translate.expr) == len(USED_EXPRESSIONS) + 3


def test_a_style_is_taken_from_a_track_without_named_expressions(head, demo):
    flame, model = flame_sized_head(), SpeechToFace.load()
    found = {}
    for name in ("happy", "angry"):
        track = model.predict(demo, 16000, 12, flame, style=name, seed=3)
        code, note = track_code(track, flame, model.network)
        assert note == ""
        found[name] = values_of(code)
    assert found["happy"]["smile"] > found["angry"]["smile"] + 0.25
    assert found["angry"]["brow_down"] > found["happy"]["brow_down"] + 0.25
    assert found["happy"]["jaw_amplitude"] == pytest.approx(1.1, abs=0.4)
