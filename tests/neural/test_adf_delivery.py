"""What a delivery does to a track: two styles mixed, emotions that come and go, parts that rest; any length in acts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from erlnet_blender.delivery import PARTS, Delivery, parts_of_expression
from erlnet_blender.errors import Cancelled, ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.audio import AudioStream
from erlnet_blender.neural.adf import performance
from erlnet_blender.neural.adf.network.style_decoder import StyleDecoder
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.sound import Sound
from erlnet_blender.neural.adf.style.blended import BlendedStyle
from erlnet_blender.neural.adf.style.presets import emotion_code, preset_code
from erlnet_blender.style_presets import EMOTIONS

torch.set_num_threads(1)
RATE_HZ, FPS = 16000, 25


@pytest.fixture(scope="module")
def model() -> SpeechToFace:
    return SpeechToFace.load()


def test_a_style_may_change_at_every_frame():
    torch.manual_seed(0)
    decoder = StyleDecoder().eval()
    content = torch.rand(1, 80, 11), torch.rand(1, 80), torch.rand(1, 80)
    one, other = torch.randn(1, 128), torch.randn(1, 128)
    with torch.inference_mode():
        held = decoder(*content, one)
        assert torch.allclose(decoder(*content, one[:, None].expand(-1, 80, -1)), held, atol=1e-5)
        codes = torch.where(torch.arange(80)[None, :, None] < 40, one[:, None], other[:, None])
        changed = decoder(*content, codes)
    assert torch.allclose(changed[:, :20], held[:, :20], atol=1e-5)
    assert torch.allclose(changed[:, 60:], decoder(*content, other)[:, 60:], atol=1e-5)


def test_codes_add_up_as_promised(model, head):
    ramp = np.linspace(0, 1, 100)
    delivery = Delivery("happy", 0.5, "calm", ramp, {"sad": 0.4, "angry": ramp[::-1]})
    codes = BlendedStyle(delivery, FPS, head, model.network).codes(0, 200)
    assert codes.shape == (200, 128)
    for sample in (1, 77, 150):
        frame = np.clip((sample + 0.5) / 50 * FPS - 0.5, 0, 99)
        mix = frame / 99
        styles = 0.5 * ((1 - mix) * preset_code("happy") + mix * preset_code("calm"))
        expected = styles + 0.4 * emotion_code("sad") + (1 - mix) * emotion_code("angry")
        assert np.allclose(codes[sample], expected, atol=1e-4)
    # A later part is the same as that part of the whole, and a curve that has ended holds.
    style = BlendedStyle(delivery, FPS, head, model.network)
    assert np.allclose(style.codes(120, 140), codes[120:140], atol=1e-6)
    assert np.allclose(style.codes(300, 301)[0], 0.5 * preset_code("calm") + 0.4 * emotion_code("sad"), atol=1e-5)
    assert BlendedStyle(Delivery("happy"), FPS, head, model.network).codes(0, 9).shape == (128,)


def test_a_mix_lies_between_its_styles(model, head, demo):
    smile = head.expression_names.index("smile_L")

    def mean(mix):
        track = model.predict(demo, RATE_HZ, FPS, head, "happy", second_style="serious", mix=mix)
        return track.expr[:, smile].mean()

    happy, both, serious = mean(0.0), mean(0.5), mean(1.0)
    assert happy > both + 0.05 > serious + 0.1
    assert happy == pytest.approx(model.predict(demo, RATE_HZ, FPS, head, "happy").expr[:, smile].mean(), abs=1e-6)


def test_an_emotion_comes_where_its_curve_says(model, head, demo):
    sound = np.tile(demo, 3)
    frames = int(np.ceil(len(sound) / RATE_HZ * FPS))
    curve = np.repeat([0.0, 1.0], [frames // 2, frames - frames // 2])
    plain = model.predict(sound, RATE_HZ, FPS, head)
    track = model.predict(sound, RATE_HZ, FPS, head, emotions={"angry": curve})
    brow = head.expression_names.index("brow_down_L")
    change = (track.expr - plain.expr)[:, brow]
    assert np.abs(change[: frames // 2 - 15]).max() < 0.02
    assert change[frames // 2 + 15 :].min() > 0.4
    assert "angry" in json.loads(track.source)["emotions"]


def test_every_emotion_shows_and_grows(model, head, demo):
    plain = model.predict(demo, RATE_HZ, FPS, head).expr.mean(0)
    for name, *_ in EMOTIONS:
        slight, strong = (
            np.abs(model.predict(demo, RATE_HZ, FPS, head, emotions={name: at}).expr.mean(0) - plain).max()
            for at in (0.4, 1.0)
        )
        if name == "neutral":
            assert strong == 0
        else:
            assert strong > slight + 0.05 > 0.1, name
    with pytest.raises(ErlnetError, match="Unknown emotion, 'bored'"):
        model.predict(demo, RATE_HZ, FPS, head, emotions={"bored": 1.0})


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_is_off_rests_and_the_others_go_on(model, head, demo, part):
    whole = model.predict(demo, RATE_HZ, FPS, head, "energetic", emotions={"fearful": 0.5}, seed=1)
    track = model.predict(
        demo, RATE_HZ, FPS, head, "energetic", emotions={"fearful": 0.5}, seed=1, parts=PARTS - {part}
    )
    owned = [part in parts_of_expression(name) for name in head.expression_names]
    channels = {"mouth": ["jaw_pose"], "blinks": ["eyelids"], "gaze": ["eyes_pose"], "head": ["neck_pose"]}
    for name in channels.get(part, []):
        assert not getattr(track, name).any()
        assert getattr(whole, name).any()
    assert not track.expr[:, owned].any()
    for name in ("jaw_pose", "eyelids", "neck_pose"):
        if name not in channels.get(part, []):
            assert np.array_equal(getattr(track, name), getattr(whole, name)), name
    if part == "head":  # eyes no longer make up for a head that does not turn
        assert np.abs(track.eyes_pose).mean() < np.abs(whole.eyes_pose).mean()


def test_blinks_at_a_rate_of_ones_own(model, head):
    silence = np.zeros(120 * RATE_HZ, np.float32)

    def count(rate):
        lids = model.predict(silence, RATE_HZ, 50, head, seed=2, blinks_per_minute=rate).eyelids[:, 0]
        return int(np.sum((lids[1:] > 0.5) & (lids[:-1] <= 0.5)))

    assert count(4) < 15 < count(20) < 55
    assert count(40) > 60


def test_acts_pass_over_without_a_jump(model, head, demo, monkeypatch):
    """Eight seconds an act instead of five minutes."""
    sound = np.tile(demo, 8)
    whole = model.predict(sound, RATE_HZ, FPS, head, "energetic", emotions={"sad": np.linspace(0, 1, 500)}, seed=4)
    monkeypatch.setattr(performance, "ACT_FRAMES", 400)
    monkeypatch.setattr(performance, "OVERLAP_FRAMES", 100)
    delivery = Delivery("energetic", emotions={"sad": np.linspace(0, 1, 500)}, seed=4)
    pieces = list(model.perform(Sound.of(sound, RATE_HZ), FPS, head, delivery))
    acts = type(whole).joined(pieces)
    assert len(pieces) >= 4
    assert len(acts) == len(whole)
    # What is heard does not depend on the acts.
    assert np.abs(acts.jaw_pose - whole.jaw_pose).max() < 1e-3
    mouth = [i for i, name in enumerate(head.expression_names) if parts_of_expression(name) == {"mouth"}]
    assert np.abs(acts.expr - whole.expr)[:, mouth].max() < 0.05
    seams = np.cumsum([len(piece) for piece in pieces])[:-1]
    turn, eyes = np.abs(np.diff(acts.neck_pose, axis=0)), np.abs(np.diff(acts.eyes_pose, axis=0))
    assert turn[seams - 1].max() <= np.quantile(turn, 0.999)
    assert eyes[seams - 1].max() <= 1.2 * np.quantile(eyes, 0.999)
    again = model.perform(Sound.of(sound, RATE_HZ), FPS, head, delivery).track()
    assert np.array_equal(again.neck_pose, acts.neck_pose)


def test_a_recording_in_blocks_is_the_recording_at_once(model, head, demo, tmp_path):
    import soundfile

    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(demo, 9)[: 31 * RATE_HZ], RATE_HZ)
    stream = AudioStream(path, 0.0, None, RATE_HZ)
    sound = Sound(stream)
    assert len(sound) == 31 * RATE_HZ
    samples = soundfile.read(path, dtype="float32")[0]
    assert np.array_equal(sound.piece(5000, 300_000), samples[5000:300_000])
    assert not sound.piece(-100, 0).any()
    track = model.perform(sound, FPS, head, Delivery("happy", seed=1)).track()
    assert np.array_equal(track.expr, model.predict(samples, RATE_HZ, FPS, head, "happy", seed=1).expr)


@pytest.mark.parametrize(("rate_hz", "seconds", "fps"), [(44100, 1.0, 24), (48000, 0.05, 25), (22050, 7 / 24, 24)])
def test_frames_are_counted_in_the_rate_of_the_file(model, head, rate_hz, seconds, fps):
    samples = np.zeros(round(rate_hz * seconds), np.float32)
    assert len(model.predict(samples, rate_hz, fps, head)) == max(1, int(np.ceil(len(samples) / rate_hz * fps - 1e-6)))


@pytest.mark.parametrize("seconds", [0.05, 1.0])
def test_the_shortest_recordings_are_spoken(model, head, demo, seconds):
    sound = demo[RATE_HZ : RATE_HZ + int(seconds * RATE_HZ)]
    track = model.predict(
        sound, RATE_HZ, FPS, head, "happy", emotions={"sad": np.ones(40)}, second_style="calm", mix=0.5
    )
    assert len(track) == max(1, int(np.ceil(seconds * FPS - 1e-6)))
    assert 0 <= track.jaw_pose[:, 0].max() < 0.4


def test_ten_minutes_with_speech_at_both_ends(model, head, demo, tmp_path):
    """Two acts. The few words are heard as they are alone, and nothing moves the mouth in the long silence between."""
    sound = np.zeros(600 * RATE_HZ, np.float32)
    sound[: len(demo)] = demo
    sound[-len(demo) :] = demo
    performance = model.perform(Sound.of(sound, RATE_HZ), FPS, head, Delivery(seed=5))
    performance.save(tmp_path / "long.npz")
    track = FaceTrack.load(tmp_path / "long.npz")
    assert len(track) == 600 * FPS == performance.frames
    short = model.predict(demo, RATE_HZ, FPS, head, seed=5)
    count = len(short) - 10
    assert np.abs(track.jaw_pose[:count] - short.jaw_pose[:count]).max() < 0.02
    assert not track.jaw_pose[len(short) + 25 : -len(short) - 25].any()
    assert np.ptp(track.jaw_pose[-len(short) :, 0]) > 0.05
    assert json.loads(track.source)["seed"] == 5
    assert track.neck_pose[300 * FPS - 100 : 300 * FPS + 100].std() > 0


def test_a_cancelled_performance_leaves_no_file(model, head, demo, tmp_path):
    performance = model.perform(Sound.of(demo, RATE_HZ), FPS, head, Delivery(), cancelled=lambda: True)
    with pytest.raises(Cancelled):
        performance.save(tmp_path / "track.npz")
    assert not list(tmp_path.iterdir())
