"""Recordings with tracks in every format become a corpus that gives back the motion they were made from."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from erlnet_blender import cli
from erlnet_blender.errors import Cancelled, ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.neural.adf.articulation import MOUTH, column, mouth_of
from erlnet_blender.neural.adf.checkpoint import load_network
from erlnet_blender.neural.adf.closure import runs
from erlnet_blender.neural.adf.corpus.folder import SpeechCorpus
from erlnet_blender.neural.adf.corpus.preparation import prepare
from erlnet_blender.neural.adf.corpus.tracked.importing import Settings, import_recordings
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.training import train

from ..flame_files import flame_sized_head
from .test_adf_training import write_corpus
from .tracked_recordings import FORMATS, RATE_HZ, write_sound, write_track

torch.set_num_threads(1)
FPS = {"facetrack": 30.0, "vertices": 60.0}
PAUSE_S = 0.5
# Correlation with the truth that each channel must reach, on a head of other triangles and with other expressions.
LEAST_CORRELATION = {"jaw": 0.99, "pucker": 0.9, "lip_tuck": 0.9, "smile": 0.9, "brow_raise": 0.98}


@pytest.fixture(scope="module")
def sound(demo):
    """The demo's sentence between pauses, in a quiet room."""
    pause = np.zeros(int(PAUSE_S * RATE_HZ), np.float32)
    padded = np.concatenate([pause, demo, pause])
    return padded + np.random.default_rng(0).normal(0, 1e-3, len(padded)).astype(np.float32)


@pytest.fixture(scope="module")
def said(sound, head):
    """Frame rate and style to the track of that sentence on the default head."""
    model, made = SpeechToFace.load(), {}

    def track(fps: float, style: str = "happy", strength: float = 1.0) -> FaceTrack:
        key = (fps, style, strength)
        if key not in made:
            made[key] = model.predict(sound, RATE_HZ, fps, head, style=style, strength=strength)
        return made[key]

    return track


def imported(source, folder, head=None, **settings):
    done = import_recordings(source, folder, Settings(**settings), head)
    return done, SpeechCorpus(folder)


def recordings(corpus):
    return [corpus.read(entry) for entry in corpus.index["items"]]


def truth_of(track, recording, start_s):
    """(N, 21) channels that the track was made from, at the recording's frames."""
    times_s = start_s + (np.arange(len(recording.motion)) + 0.5) / recording.rate_hz
    own_s = (np.arange(len(track)) + 0.5) / track.fps
    mouth, _ = mouth_of(track.jaw_pose, track.expr, _names())
    return np.stack([np.interp(times_s, own_s, curve) for curve in mouth.T], 1)


def _names():
    from erlnet_blender.neural.flame.correspondence import default_head

    return default_head().expression_names


def start_of(recording, sound):
    """Where in the sound a clip was cut out."""
    step = RATE_HZ // 50
    places = range(0, len(sound) - len(recording.samples) + 1, step)
    off = [np.abs(sound[place : place + len(recording.samples)] - recording.samples).mean() for place in places]
    return int(np.argmin(off)) * step / RATE_HZ


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_back_the_motion(kind, tmp_path, said, sound, head):
    flame, track = flame_sized_head(), said(FPS.get(kind, 25.0))
    write_track(kind, tmp_path / "in" / "ann_sentence01", track, head, flame)
    write_sound(tmp_path / "in" / "ann_sentence01.wav", sound)
    done, corpus = imported(tmp_path / "in", tmp_path / "out", None if kind == "facetrack" else flame)
    assert (done.items, done.speakers, done.left_out) == (1, ["ann"], [])
    (recording,) = recordings(corpus)
    entry, tracked = recording.entry, recording.tracked
    assert (entry["kind"], entry["speaker"], entry["sentence"]) == ("tracked", "ann", "sentence01")
    assert entry["duration_s"] == pytest.approx(len(recording.samples) / RATE_HZ, abs=0.011)
    assert len(recording.motion) == pytest.approx(100 * entry["duration_s"], abs=1)
    truth = truth_of(track, recording, start_of(recording, sound))
    for name, least in LEAST_CORRELATION.items():
        assert np.corrcoef(truth[:, column(name)], tracked.mouth[:, column(name)])[0, 1] > least, name
    assert np.abs(truth[:, 0] - tracked.mouth[:, 0]).max() < 0.03
    assert np.abs((truth - tracked.mouth)[:, column("smile")]).mean() < 0.03
    # Seals: every one is found, and nothing else is taken for one.
    sealed, found = runs(truth[:, 1] > 0.5), runs(tracked.mouth[:, 1] > 0.5)
    assert len(found) == len(entry["closures"]) == len(sealed) >= 4
    for (begin, end), (start, stop) in zip(sealed, found, strict=True):
        assert abs(begin - start) <= 4
        assert abs(end - stop) <= 4
    assert np.abs(np.rad2deg(tracked.head)).max() > 1
    times_s = start_of(recording, sound) + (np.arange(len(tracked.head)) + 0.5) / 100
    own_s = (np.arange(len(track)) + 0.5) / track.fps
    for axis in range(3):
        expected = np.interp(times_s, own_s, track.neck_pose[:, axis])
        assert np.rad2deg(np.abs(tracked.head[:, axis] - expected).max()) < 0.2


def test_lids_are_found_in_expressions(tmp_path, said, sound, head):
    track = said(25.0)
    write_track("vhap", tmp_path / "in" / "ann", track, head, flame_sized_head())
    write_sound(tmp_path / "in" / "ann.wav", sound)
    _, corpus = imported(tmp_path / "in", tmp_path / "out", flame_sized_head())
    (recording,) = recordings(corpus)
    blinks = len(runs(track.eyelids.mean(1) > 0.5))
    assert blinks >= 1
    shut = recording.tracked.eyelids.mean(1)
    assert len(runs(shut > 0.3)) in (blinks, blinks - 1)  # one may lie in the pauses that are cut off


def test_speakers_become_neutral_and_stay_themselves(tmp_path, said, sound):
    """A mumbler and a shouter: the same articulation to learn from, their own motion beside it."""
    for who, style in (("mumbler", "sad"), ("shouter", "energetic")):
        for number in range(6):
            said(30.0, style, 1.5).save(tmp_path / f"{who}_sentence{number}.npz")
            write_sound(tmp_path / f"{who}_sentence{number}.flac", sound)
    _, corpus = imported(tmp_path, tmp_path / "out", split="train")
    every = recordings(corpus)
    quiet, loud = every[0], every[-1]
    assert (quiet.entry["speaker"], loud.entry["speaker"]) == ("mumbler", "shouter")
    own = loud.tracked.mouth[:, 0].std() / quiet.tracked.mouth[:, 0].std()
    learnt = loud.motion[:, 0].std() / quiet.motion[:, 0].std()
    assert own > 2
    assert learnt < 1 + 0.25 * (own - 1)
    assert quiet.motion.min() >= 0
    assert loud.motion.max() <= 1


def test_pauses_are_at_rest_and_phones_follow_the_lips(tmp_path, said, sound):
    said(30.0).save(tmp_path / "ann.npz")
    write_sound(tmp_path / "ann.wav", sound)
    _, corpus = imported(tmp_path, tmp_path / "out")
    (recording,) = recordings(corpus)
    silent = recording.phones == 0
    assert 10 < silent.sum() < 0.5 * len(silent)
    inner = np.flatnonzero(silent)[:8]
    assert recording.motion[inner, 0].max() < 0.1
    bilabial = np.isin(recording.phones, (1, 2, 3))
    sealed = recording.motion[:, 1] > 0.5
    assert (bilabial == (sealed & ~silent)).mean() > 0.98


@pytest.mark.parametrize(("fps", "rate_hz"), [(24, 16000), (25, 44100), (29.97, 22050), (60, 48000)])
def test_rates_are_told_and_brought_to_the_corpus(fps, rate_hz, tmp_path, said, sound):
    from erlnet_blender.formats.audio import resampled

    track = said(float(fps))
    np.savez(tmp_path / "x_001.npz", **{k: v for k, v in track.arrays().items() if k not in ("fps", "source")})
    write_sound(tmp_path / "x_001.wav", resampled(sound, RATE_HZ, rate_hz), rate_hz)
    done, corpus = imported(tmp_path, tmp_path / "out")
    assert done.left_out == []
    (recording,) = recordings(corpus)
    truth = truth_of(track, recording, start_of(recording, sound))
    assert np.abs(truth[:, 0] - recording.tracked.mouth[:, 0]).max() < 0.05


def test_tracks_that_run_late_are_moved_back(tmp_path, said, sound):
    track = said(50.0)
    late = track[np.maximum(np.arange(len(track)) - 6, 0)]
    late.save(tmp_path / "ann.npz")
    write_sound(tmp_path / "ann.wav", sound)
    _, corpus = imported(tmp_path, tmp_path / "out", late_s=0.12)
    (recording,) = recordings(corpus)
    truth = truth_of(track, recording, start_of(recording, sound))
    assert np.abs(truth[:, 0] - recording.tracked.mouth[:, 0]).max() < 0.03


def test_long_recordings_are_cut_in_pauses(tmp_path, said, sound):
    track, times = said(25.0), 5
    count = int(len(sound) / RATE_HZ * 25)
    track[np.tile(np.arange(count), times)].save(tmp_path / "ann.npz")
    write_sound(tmp_path / "ann.wav", np.tile(sound[: count * RATE_HZ // 25], times))
    done, corpus = imported(tmp_path, tmp_path / "out")
    assert done.items >= 2
    lengths = [recording.entry["duration_s"] for recording in recordings(corpus)]
    assert max(lengths) <= 15
    assert sum(lengths) > 0.85 * 5 * 4.1
    closures = sum(len(recording.entry["closures"]) for recording in recordings(corpus))
    assert closures >= 5 * 4


def test_speakers_and_sentences_are_held_out_and_stay_there(tmp_path, said, sound):
    track = said(30.0)
    for who in "abcdef":
        for number in range(4):
            path = tmp_path / "in" / who / f"clip{number}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            track.save(path)
            write_sound(path.with_suffix(".flac"), sound)
    done, corpus = imported(tmp_path / "in", tmp_path / "out")
    assert done.items == 24
    by_split = {split: corpus.entries(split) for split in ("train", "development", "test")}
    assert all(by_split.values())
    tested = {entry["speaker"] for entry in by_split["test"]}
    assert len(tested) == 1
    assert tested.isdisjoint({entry["speaker"] for entry in by_split["train"] + by_split["development"]})
    sentences = [{entry["sentence"] for entry in by_split[split]} for split in ("train", "development")]
    assert sentences[0].isdisjoint(sentences[1])
    # Another take of a speaker that is held out is held out too; a take that is there is left out.
    who = tested.pop()
    track.save(tmp_path / "in" / who / "more.npz")
    write_sound(tmp_path / "in" / who / "more.flac", sound)
    done, corpus = imported(tmp_path / "in", tmp_path / "out", append=True)
    assert done.items == 1
    assert len(done.left_out) == 24
    assert "Already in the corpus" in done.left_out[0]
    assert corpus.index["items"][-1]["split"] == "test"


def quietly(*text, **how):
    """No report."""


@pytest.mark.parametrize("mixed", [False, True])
def test_the_speech_model_trains_on_it_alone_and_mixed(mixed, tmp_path, said, sound):
    folder = tmp_path / "out"
    if mixed:
        folder.mkdir()
        write_corpus(folder, 4)
    for number, style in enumerate(("neutral", "happy", "sad")):
        said(25.0, style).save(tmp_path / f"ann_sentence0{number}.npz")
        write_sound(tmp_path / f"ann_sentence0{number}.wav", sound)
    done, corpus = imported(tmp_path, folder, append=mixed, split="train")
    assert done.items == 3
    assert len(corpus.entries("train")) == (7 if mixed else 3)
    prepared = prepare(corpus, 0, quietly)
    filmed = [index for index in range(len(prepared.pools)) if prepared.tracked_of(index) is not None]
    assert {int(prepared.voices[index]) for index in filmed} == {int(prepared.voices[filmed[0]])}
    assert len(filmed) >= 9
    for index in filmed:
        motion = prepared.motion[prepared.starts[index] : prepared.starts[index + 1]]
        tracked = prepared.tracked_of(index)
        assert tracked.mouth.shape == (len(motion), len(MOUTH))
        # Moved and stretched as the neutral articulation is.
        assert np.corrcoef(motion[:, 0], tracked.mouth[:, 0])[0, 1] > 0.9
        assert np.abs(tracked.head).max() > 0.005
    if mixed:
        assert len(filmed) < (prepared.pools < 2).sum()
    figures = train(folder, tmp_path / "w.safetensors", 20, channels=48, stages=("speech",), report=quietly)
    assert figures["steps"] == 20
    assert np.isfinite(figures["losses"]["speech"])
    load_network(tmp_path / "w.safetensors")


def test_the_command_says_what_it_did(tmp_path, said, sound, capsys):
    said(25.0).save(tmp_path / "in.npz")
    (tmp_path / "in").mkdir()
    (tmp_path / "in.npz").rename(tmp_path / "in" / "ann_01.npz")
    write_sound(tmp_path / "in" / "ann_01.wav", sound)
    (tmp_path / "in" / "alone.npz").write_bytes(b"")
    call = ["corpus", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--language", "en", "--json"]
    assert cli.main(call) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["items"], told["speakers"]) == (1, ["ann"])
    assert len(told["left_out"]) == 1
    assert "alone.npz" in told["left_out"][0]
    assert SpeechCorpus(tmp_path / "out").index["items"][0]["language"] == "en"
    calls = {"--append": call, "No such folder": ["corpus", "nowhere", "-o", "x"], "9999 ms": [*call, "--late", "9999"],
             "--split": [*call, "--split", "some"]}  # fmt: skip
    for word, wrong in calls.items():
        assert cli.main(wrong) == 2
        told = capsys.readouterr().err
        assert word in told
        assert told.count("\n") == 1


def test_stopped_imports_leave_nothing(tmp_path, said, sound):
    for name in ("a_01", "b_01"):
        said(25.0).save(tmp_path / f"{name}.npz")
        write_sound(tmp_path / f"{name}.wav", sound)
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        import_recordings(tmp_path, tmp_path / "out", Settings(), cancelled=lambda: next(answers))
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_flame_coefficients_need_their_head(tmp_path, sound):
    np.savez(tmp_path / "a.npz", exp=np.zeros((100, 50)), pose=np.zeros((100, 6)))
    write_sound(tmp_path / "a.wav", sound[: 4 * RATE_HZ])
    with pytest.raises(ErlnetError, match=r"FLAME mean nothing without its head model.*a\.npz.*--head"):
        imported(tmp_path, tmp_path / "out")


def test_a_mouth_that_never_closes_teaches_no_closure(tmp_path, said, sound, head):
    track = said(30.0)
    opened = np.maximum(track.jaw_pose, [[0.12, 0, 0]])
    expr = track.expr.copy()
    expr[:, [head.expression_names.index(name) for name in ("mouth_close", "lips_press")]] = 0
    replace(track, jaw_pose=opened, expr=expr).save(tmp_path / "ann.npz")
    write_sound(tmp_path / "ann.wav", sound)
    done, corpus = imported(tmp_path, tmp_path / "out")
    assert any("never meet" in note for note in done.notes)
    (recording,) = recordings(corpus)
    assert not recording.motion[:, MOUTH.index("closure")].any()
    assert recording.entry["closures"] == []


@pytest.mark.parametrize(("noise", "meet", "found", "wrong"), [(0, 0.8, 0.95, 0.1), (0.04, 0.8, 0.75, 0.15)])
def test_seals_are_found_by_poor_trackers_too(noise, meet, found, wrong, tmp_path, said, sound, head):
    """Lips that do not quite meet, and coefficients that tremble."""
    track, random = said(30.0), np.random.default_rng(2)
    count, times = int(len(sound) / RATE_HZ * 30), 6
    poor = track[np.tile(np.arange(count), times)]
    poor.expr[:, [head.expression_names.index(name) for name in ("mouth_close", "lips_press")]] *= meet
    poor.expr += noise * random.normal(0, 1, poor.expr.shape).astype(np.float32)
    poor.jaw_pose += 0.1 * noise * random.normal(0, 1, poor.jaw_pose.shape).astype(np.float32)
    poor.save(tmp_path / "ann.npz")
    write_sound(tmp_path / "ann.wav", np.tile(sound[: count * RATE_HZ // 30], times))
    _, corpus = imported(tmp_path, tmp_path / "out")
    mouth, _ = mouth_of(track.jaw_pose, track.expr, head.expression_names)
    true = times * len(runs(mouth[:, 1] > 0.5))
    every = sum(len(recording.entry["closures"]) for recording in recordings(corpus))
    truth = [truth_of(track[np.tile(np.arange(count), times)], one, start_of_tiled(one, sound, count, times))[:, 1]
             for one in recordings(corpus)]  # fmt: skip
    right = sum(
        curve[max(0, int(100 * begin) - 4) : int(100 * end) + 4].max(initial=0) > 0.5
        for curve, one in zip(truth, recordings(corpus), strict=True)
        for begin, end in one.entry["closures"]
    )
    assert right >= found * true
    assert every - right <= wrong * every


def start_of_tiled(recording, sound, count, times):
    return start_of(recording, np.tile(sound[: count * RATE_HZ // 30], times))


def test_a_head_seen_by_a_camera_that_looks_along_z(tmp_path, said, sound):
    from scipy.spatial.transform import Rotation

    track = said(30.0)
    seen = Rotation.from_euler("x", 180, degrees=True) * Rotation.from_rotvec(track.neck_pose)
    replace(track, neck_pose=0 * track.neck_pose, rotation=seen.as_rotvec()).save(tmp_path / "ann.npz")
    write_sound(tmp_path / "ann.wav", sound)
    done, corpus = imported(tmp_path, tmp_path / "out")
    assert any(re.search(r"turned by 1[78]\d degrees", note) for note in done.notes)
    (recording,) = recordings(corpus)
    turned = np.rad2deg(recording.tracked.head)
    assert np.abs(turned.mean(0)).max() < 2
    times_s = start_of(recording, sound) + (np.arange(len(turned)) + 0.5) / 100
    nod = np.interp(times_s, (np.arange(len(track)) + 0.5) / 30, track.neck_pose[:, 0])
    assert np.corrcoef(nod, turned[:, 0])[0, 1] > 0.95
