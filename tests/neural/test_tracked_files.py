"""Reading what trackers wrote: known layouts, hostile files, transcripts, which files belong together, where to cut."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.spatial.transform import Rotation

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.neural.adf.articulation import PHONE_CLASSES
from erlnet_blender.neural.adf.corpus.tracked.clips import LONGEST_S, clips_of
from erlnet_blender.neural.adf.corpus.tracked.importing import Settings, import_recordings
from erlnet_blender.neural.adf.corpus.tracked.sequences import read_sequence
from erlnet_blender.neural.adf.corpus.tracked.takes import find_takes
from erlnet_blender.neural.adf.corpus.tracked.transcripts import classes_at, classes_of, read_transcript

N = 40
RANDOM = np.random.default_rng(1)
EXPR, TURN, JAW = (RANDOM.normal(0, 0.3, (N, width)).astype(np.float32) for width in (100, 3, 3))


def six_numbers(turn):
    """(N, 6): the first two rows of the rotation matrices."""
    return Rotation.from_rotvec(turn).as_matrix()[:, :2].reshape(len(turn), 6)


def saved(folder: Path, name: str, **arrays) -> Path:
    np.savez(folder / name, **arrays)
    return folder / name


def layouts(folder: Path) -> dict[str, Path]:
    """Name of a layout to a file with EXPR (or its first 50), TURN and JAW in it."""
    files = {
        "diffposetalk": saved(folder, "a.npz", exp=EXPR[:, :50], pose=np.concatenate([TURN, JAW], 1)),
        "vhap": saved(folder, "b.npz", expr=EXPR, jaw_pose=JAW, rotation=TURN, shape=np.ones((1, 300))),
        "imavatar": saved(folder, "c.npz", expression=EXPR, pose=np.hstack([TURN, 0 * TURN, JAW, np.zeros((N, 6))])),
        "batch of one": saved(folder, "d.npz", exp=EXPR[None], jaw=JAW[None], global_pose=TURN[None]),
        "frames of one": saved(folder, "e.npz", exp=EXPR[:, None], jaw=JAW[:, None], global_pose=TURN[:, None]),
        "six numbers": saved(folder, "f.npz", exp=EXPR, jaw=six_numbers(JAW), rotation=six_numbers(TURN)),
        "matrices": saved(folder, "g.npz", exp=EXPR, jaw=JAW, rotation=Rotation.from_rotvec(TURN).as_matrix()),
        "object array": saved(folder, "h.npz", flame=np.array({"exp": EXPR, "jaw": JAW, "rotation": TURN}, object)),
    }  # fmt: skip
    np.save(folder / "i.npy", np.concatenate([EXPR, TURN, JAW], 1))
    torch.save({"flame": {"exp": torch.from_numpy(EXPR), "jaw_params": torch.from_numpy(JAW),
                          "pose_params": torch.from_numpy(TURN)}}, folder / "j.pt")  # fmt: skip
    (folder / "k.pkl").write_bytes(pickle.dumps({"expression": EXPR, "jaw_pose": JAW, "global_pose": TURN}))
    return files | {"array": folder / "i.npy", "tensors": folder / "j.pt", "pickle": folder / "k.pkl"}


def test_every_layout_gives_the_same_coefficients(tmp_path):
    for layout, path in layouts(tmp_path).items():
        arrays = read_sequence(path).arrays
        count = arrays["expr"].shape[1]
        assert count == (50 if layout == "diffposetalk" else 100)
        for name, truth in (("expr", EXPR[:, :count]), ("jaw_pose", JAW), ("rotation", TURN)):
            assert np.allclose(arrays[name], truth, atol=1e-5), (layout, name)


def test_frames_in_a_folder_are_one_sequence(tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for index in range(N):
        values = {"exp": torch.from_numpy(EXPR[index : index + 1]),
                  "jaw": torch.from_numpy(six_numbers(JAW[index : index + 1]).astype(np.float32))}  # fmt: skip
        torch.save({"flame": values, "frame_id": index}, folder / f"{index:05d}.frame")
    arrays = read_sequence(folder).arrays
    assert np.allclose(arrays["expr"], EXPR)
    assert np.allclose(arrays["jaw_pose"], JAW, atol=1e-5)
    torch.save({"flame": {"exp": torch.zeros(1, 50)}}, folder / "00003.frame")
    with pytest.raises(ErlnetError, match=r"other values than the first.*00003\.frame"):
        read_sequence(folder)


def test_vertices_lie_flat_or_not(tmp_path):
    vertices = RANDOM.normal(0, 0.1, (4, 5023, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", vertices)
    np.save(tmp_path / "b.npy", vertices.reshape(4, -1))
    for name in ("a.npy", "b.npy"):
        assert np.array_equal(read_sequence(tmp_path / name).arrays["vertices"], vertices)


class Evil:
    def __reduce__(self):
        return os.system, ("touch opened",)


def hostile(folder: Path) -> dict[str, Path]:
    """What must be refused, by what the sentence says."""
    with_nan = EXPR.copy()
    with_nan[3, 3] = np.nan
    good = saved(folder, "good.npz", expr=EXPR)
    cases = {
        r"expr holds NaN": saved(folder, "a.npz", expr=with_nan, jaw_pose=JAW),
        r"different numbers of frames": saved(folder, "b.npz", expr=EXPR, jaw_pose=JAW[:-1]),
        r"jaw_pose has shape \(40, 7\)": saved(folder, "c.npz", expr=EXPR, jaw_pose=np.zeros((N, 7))),
        r"pose has shape \(40, 9\)": saved(folder, "d.npz", expr=EXPR, pose=np.zeros((N, 9))),
        r"neither expressions nor vertices but a, b": saved(folder, "e.npz", a=EXPR, b=JAW),
        r"(?i)refused.*system": saved(folder, "f.npz", expr=np.array([Evil()], dtype=object)),
        r"expr of shape \(0, 100\)": saved(folder, "g.npz", expr=EXPR[:0]),
        r"frame rate is": saved(folder, "h.npz", expr=EXPR, fps=np.nan),
        r"expr of shape \(2,\) and type <U3": saved(folder, "i.npz", expr=np.array(["all", "was"])),
    }
    cut = folder / "cut.npz"
    cut.write_bytes(good.read_bytes()[:-400])
    cases[r"(?i)damaged|readable|zip"] = cut
    np.save(folder / "narrow.npy", np.zeros((N, 7)))
    cases[r"shape \(40, 7\) is neither vertices nor one of 50, 51"] = folder / "narrow.npy"
    (folder / "evil.pkl").write_bytes(pickle.dumps({"expr": Evil()}))
    cases[r"(?i)system, which no FLAME file needs"] = folder / "evil.pkl"
    (folder / "text.npy").write_text("no array at all")
    cases[r"it is no head model, no pickle|damaged"] = folder / "text.npy"
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("expr.npy", b"\0" * (64 << 20))
    cases[r"would grow"] = folder / "bomb.npz"
    return cases


def test_hostile_files_are_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for sentence, path in hostile(tmp_path).items():
        with pytest.raises(ErlnetError, match=sentence) as caught:
            read_sequence(path)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "opened").exists()


def test_hostile_pairs_are_named_and_left_out(tmp_path, head):
    """One good take among bad ones is imported, each of the others has its sentence."""
    source = tmp_path / "in"
    source.mkdir()
    cases = hostile(source)
    second = np.random.default_rng(0).normal(0, 0.01, 32000)
    for path in source.iterdir():
        soundfile.write(path.with_suffix(".wav"), second, 16000)
    from erlnet_blender.formats.audio import read_audio
    from erlnet_blender.formats.head_model import default_head_path

    samples, rate_hz = read_audio(default_head_path().with_name("demo_speech.flac"))
    count = int(len(samples) / rate_hz * 25)
    jaw = 0.1 * np.abs(np.sin(np.arange(count)))[:, None] * [1, 0, 0]
    for name, frames in (("fine", count), ("short", 30)):
        FaceTrack(np.zeros((frames, 59)), 25, head.id, jaw_pose=jaw[:frames]).save(source / f"{name}.npz")
        soundfile.write(source / f"{name}.wav", samples, rate_hz)
    FaceTrack(np.zeros((50, 59)), 25, head.id).save(source / "hiss.npz")
    soundfile.write(source / "hiss.wav", second, 16000)
    FaceTrack(np.zeros((50, 59)), 25, head.id).save(source / "silent_movie.npz")
    (source / "good.npz").unlink()
    (source / "good.wav").unlink()
    done = import_recordings(source, tmp_path / "out", Settings())
    assert done.items == 1
    assert len(done.left_out) == len(cases) + 3
    for sentence, path in cases.items():
        assert any(re.search(sentence, told) and path.name in told for told in done.left_out), sentence
    for sentence in ("No recording beside the track", "No speech is heard", r"1\.2 s at 25 fps"):
        assert any(re.search(sentence, told) for told in done.left_out), sentence


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("files", "takes"),
    [
        (
            ["vertices_npy/FaceTalk_17_TA_sentence01.npy", "wav/FaceTalk_17_TA_sentence01.wav", "templates.pkl"],
            [("FaceTalk_17_TA", "sentence01")],
        ),
        (
            ["M003/coef/happy/level_1/001.npz", "M003/audio/happy/level_1/001.wav",
             "M003/coef/sad/level_1/001.npz", "M003/audio/sad/level_1/001.wav"],
            [("M003", "happy/level_1/001"), ("M003", "sad/level_1/001")],
        ),
        (["RD_Radio1_000.npz", "RD_Radio1_000.wav"], [("RD_Radio1", "RD_Radio1_000")]),
        (["id7/clip3.npz", "id7/clip3.flac", "id7/clip3.TextGrid"], [("id7", "clip3")]),
        (
            ["ann_talks/tracked_flame_params_10.npz", "ann_talks/tracked_flame_params_30.npz", "ann_talks/sound.wav"],
            [("sound", "sound")],
        ),
        (["ann/flame_param/00000.npz", "ann/flame_param/00001.npz", "ann/ann.wav"], [("ann", "ann")]),
    ],
)  # fmt: skip
def test_files_that_belong_together_are_found(files, takes, tmp_path):
    touch(tmp_path, *files)
    found, problems = find_takes(tmp_path)
    assert [(take.speaker, take.sentence) for take in found] == takes
    assert problems == []
    assert all(take.audio.suffix in (".wav", ".flac") for take in found)
    if "id7/clip3.TextGrid" in files:
        assert found[0].transcript == tmp_path / "id7" / "clip3.TextGrid"
    if "ann_talks/sound.wav" in files:
        assert found[0].track.name == "tracked_flame_params_30.npz"


def test_pairs_that_cannot_be_told_are_named(tmp_path):
    touch(tmp_path, "x/001.npz", "y/001.wav", "z/001.wav", "a.npz", "b.npz", "b.m4a")
    found, problems = find_takes(tmp_path, speaker="ann")
    assert found == []
    assert [re.match(r"[\w ]+", problem)[0] for problem in sorted(problems)] == [
        "No recording beside the track", "Recording is a m4a file", "Several recordings fit to the track ",
    ]  # fmt: skip


def test_a_corpus_inside_the_folder_is_no_source(tmp_path):
    touch(
        tmp_path, "ann.npz", "ann.wav", "corpus/corpus.json", "corpus/tracked-ann-00.npz", "corpus/tracked-ann-00.flac"
    )
    found, problems = find_takes(tmp_path)
    assert [take.name for take in found] == ["ann"]
    assert problems == []


LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.0
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1.0
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 1.0
            text = "my ""bob"" 2"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.0
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = ""
        intervals [2]:
            xmin = 0.2
            xmax = 0.4
            text = "M"
        intervals [3]:
            xmin = 0.4
            xmax = 0.6
            text = "AY1"
        intervals [4]:
            xmin = 0.6
            xmax = 1.0
            text = "B"
"""


def phones_of(folder: Path, name: str, text: str, encoding: str = "utf8"):
    (folder / name).write_text(text, encoding=encoding)
    return read_transcript(folder / name)


def test_phone_times_are_read_from_every_kind(tmp_path):
    expected = [(0.2, 0.4, "m"), (0.4, 0.51, "a"), (0.51, 0.6, "i"), (0.6, 1.0, "b")]
    short = re.sub(r"^.*? = |^\s*item.*$|^\s*intervals \[.*$|^\s*intervals: size = |^tiers\? ", "", LONG, flags=re.M)
    found = [
        phones_of(tmp_path, "a.TextGrid", LONG),
        phones_of(tmp_path, "b.TextGrid", LONG, "utf-16"),
        phones_of(tmp_path, "c.TextGrid", short),
        phones_of(tmp_path, "d.lab", "0 0.2 sil\n0.2 0.4 M\n0.4 0.6 AY1\n0.6 1.0 B\n"),
        phones_of(tmp_path, "e.lab", "0 2000000 sil\n2000000 4000000 m\n4000000 6000000 aɪ\n6000000 10000000 b\n"),
        phones_of(tmp_path, "f.lab", "separator ;\n#\n0.2 125 pau\n0.4 125 m\n0.6 125 ay\n1.0 125 b\n"),
    ]
    for transcript in found:
        times = [(round(start, 3), round(end, 3), name) for start, end, name in transcript.phones]
        assert times == expected
    assert found[0].text == 'my "bob" 2'
    classes = classes_at(found[0].phones, np.array([0.1, 0.3, 0.45, 0.55, 0.8]))
    assert [PHONE_CLASSES[index] for index in classes] == ["sil", "m", "a", "i", "b"]


def test_words_without_times_are_text(tmp_path):
    assert phones_of(tmp_path, "a.lab", "my bob\nran").text == "my bob ran"
    assert phones_of(tmp_path, "b.txt", "1 2 three") == read_transcript(tmp_path / "b.txt")
    assert read_transcript(tmp_path / "b.txt").phones == []


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.TextGrid", LONG[: len(LONG) // 2], "TextGrid is damaged"),
        ("b.TextGrid", "no grid", "TextGrid is damaged"),
        ("c.lab", "0.5 0.9 m\n0.1 0.5 b\n", "do not run forward"),
        ("d.lab", "0.5 0.4 m\n", "do not run forward"),
    ],
)
def test_damaged_transcripts_are_refused(name, text, sentence, tmp_path):
    with pytest.raises(ErlnetError, match=rf"{sentence}.*{name}"):
        phones_of(tmp_path, name, text)


def test_labels_of_two_alphabets():
    for label, names in (("CH", ["t", "sh"]), ("tʃ", ["t", "sh"]), ("aɪ", ["a", "i"]), ("OW2", ["o", "u"]),
                         ("ŋ", ["ng"]), ("NG", ["ng"]), ("iː", ["i"]), ("spn", []), ("B", ["b"]), ("y", ["y"]),
                         ("Y", ["j"]), ("SIL", [])):  # fmt: skip
        assert classes_of(label) == names, label


def test_cuts_fall_into_pauses():
    gate = np.ones(50 * 40)
    for start_s in (9, 21, 30):
        gate[int(50 * start_s) : int(50 * start_s) + 60] = 0
    clips = clips_of(gate, 40.0)
    assert [start for start, _ in clips] == pytest.approx([0.0, 9.96, 21.96, 30.96], abs=0.02)
    assert all(end - start <= LONGEST_S for start, end in clips)
    # Nobody pauses: cut all the same, and lose nothing.
    clips = clips_of(np.ones(50 * 40), 40.0)
    assert clips[0][0] == 0
    assert clips[-1][1] == 40.0
    assert all(end - start <= LONGEST_S for start, end in clips)
    assert [end for _, end in clips[:-1]] == [start for start, _ in clips[1:]]
    assert clips_of(np.zeros(500), 10.0) == []
