"""What augmentation does to a recording, measured in the sound, and how the material for training is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import lfilter

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import ARTICULATION, PHONE_CLASSES
from erlnet_blender.neural.adf.corpus import preparation
from erlnet_blender.neural.adf.corpus.acoustics import (
    babble,
    beside_other_sounds,
    in_a_room,
    overloaded,
    room_response,
    telephoned,
)
from erlnet_blender.neural.adf.corpus.augmentation import another_speaker, augmented, kind_of, noise_only, placed
from erlnet_blender.neural.adf.corpus.folder import Recording, SpeechCorpus
from erlnet_blender.neural.adf.corpus.preparation import prepare
from erlnet_blender.neural.adf.corpus.sounds import NOISES, laughter, music, noise
from erlnet_blender.neural.adf.corpus.voice_change import changed_voice, median_pitch_hz

torch.set_num_threads(1)
RATE_HZ = 16000
CLOSURES_S = ((0.50, 0.58), (1.10, 1.17), (1.70, 1.80))
QUIET = lambda *text, **how: None  # noqa: E731


def vowels(f0_hz: float = 110.0, duration_s: float = 2.4) -> np.ndarray:
    """A buzz with four formants, silent while the lips are shut."""
    times_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    cycles = np.cumsum(f0_hz * (1 + 0.1 * np.sin(5 * times_s))) / RATE_HZ
    sound = np.diff(np.floor(cycles), prepend=0) + np.random.default_rng(0).normal(0, 0.003, len(times_s))
    for formant_hz in (650, 1150, 2500, 3400):
        turn, radius = 2 * np.pi * formant_hz / RATE_HZ, np.exp(-np.pi * 90 / RATE_HZ)
        sound = np.asarray(lfilter([1 - radius], [1, -2 * radius * np.cos(turn), radius**2], sound))
    for begin_s, end_s in CLOSURES_S:
        sound[(times_s > begin_s) & (times_s < end_s)] = 0
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)


def spoken(kind: str = "recorded") -> Recording:
    """The vowels, with their closures as targets at 100 Hz."""
    sound = vowels()
    times_s = (np.arange(240) + 0.5) / 100
    motion = np.zeros((240, len(ARTICULATION)), np.float32)
    motion[:, 0] = 0.6
    phones = np.full(240, PHONE_CLASSES.index("a"), np.int8)
    for begin_s, end_s in CLOSURES_S:
        inside = (times_s > begin_s) & (times_s < end_s)
        motion[inside, 1], phones[inside] = 1, PHONE_CLASSES.index("p")
    return Recording({"voice": "x", "kind": kind}, sound, motion, phones, np.ones(240, np.float32), 100.0)


def formants_hz(sound: np.ndarray) -> np.ndarray:
    """Peaks of the mean spectrum, smoothed beyond the harmonics."""
    frames = sound[: len(sound) // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
    spectrum = np.log(np.abs(np.fft.rfft(frames)).mean(0) + 1e-6)
    width = np.hanning(27)
    smooth = np.convolve(spectrum, width / width.sum(), "same")
    bins = np.arange(len(smooth)) * RATE_HZ / 1024
    peaks = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] > smooth[2:]) & (bins[1:-1] > 1600) & (bins[1:-1] < 5000)
    return bins[1:-1][peaks]


def dips_s(sound: np.ndarray) -> list[tuple[float, float]]:
    """When the sound is 20 dB weaker than usual for at least 40 ms."""
    power = np.convolve(sound.astype(float) ** 2, np.ones(240) / 240, "same")
    low = np.concatenate([[0], power < 0.01 * np.median(power), [0]]).astype(int)
    begins, ends = np.flatnonzero(np.diff(low) == 1), np.flatnonzero(np.diff(low) == -1)
    long = (ends - begins > 0.04 * RATE_HZ) & (begins > 0) & (ends < len(sound))
    return list(zip(begins[long] / RATE_HZ, ends[long] / RATE_HZ, strict=True))


@pytest.mark.parametrize(("pitch", "formants"), [(1.7, 1.17), (2.1, 1.28), (1.0, 1.2), (1.4, 1.0), (0.7, 0.85)])
def test_pitch_and_formants_move_as_asked_and_closures_stay(pitch, formants):
    before = vowels(180 if pitch < 1 else 110)
    after = changed_voice(before, pitch, formants, 1.0, np.random.default_rng(0))
    assert len(after) == len(before)
    assert median_pitch_hz(after) / median_pitch_hz(before) == pytest.approx(pitch, rel=0.03)
    was, now = formants_hz(before), formants_hz(after)
    for formant_hz, slack in zip(was[:2], (0.04, 0.07), strict=True):
        assert np.abs(now / (formant_hz * formants) - 1).min() < slack
    middles = lambda sound: [np.mean(dip) for dip in dips_s(sound)]  # noqa: E731
    assert middles(after) == pytest.approx(middles(before), abs=0.006)
    assert len(middles(after)) == len(CLOSURES_S)


def test_tempo_changes_nothing_but_time():
    before = vowels()
    after = changed_voice(before, 1.0, 1.0, 1.25, np.random.default_rng(0))
    assert len(after) == round(1.25 * len(before))
    assert median_pitch_hz(after) == pytest.approx(median_pitch_hz(before), rel=0.03)
    expected = [1.25 * np.mean(dip) for dip in dips_s(before)]
    assert [np.mean(dip) for dip in dips_s(after)] == pytest.approx(expected, abs=0.008)


def test_men_become_women_and_children():
    pairs = [another_speaker(vowels(105), np.random.default_rng(seed)) for seed in range(200)]
    pitch_hz = 105 * np.array(pairs)[:, 0]
    assert np.mean(pitch_hz > 155) > 0.5
    assert np.mean(pitch_hz < 120) > 0.08
    assert np.corrcoef(np.log(pairs).T)[0, 1] > 0.4


@pytest.mark.parametrize("kind", ["recorded", "espeak"])
def test_targets_stay_with_the_sound_through_augmentation(kind):
    """Where the targets shut the lips, the sound is much weaker than elsewhere, in most versions."""
    ratios = []
    for seed in range(30):
        example = augmented(spoken(kind), np.random.default_rng(seed))
        power = example.samples[: len(example.motion) * 320].reshape(-1, 320).astype(float) ** 2
        power_db = 10 * np.log10(power.mean(1) + 1e-12)
        shut = (example.motion[:, 1] > 0.99) & (example.phones > 0)
        sounding = (example.motion[:, 1] < 0.01) & (example.motion[:, 0] > 0.59) & (example.phones > 0)
        assert shut.sum() >= 6
        ratios.append(np.median(power_db[sounding]) - np.median(power_db[shut]))
    assert np.median(ratios) > 8


def test_a_pause_parts_sound_and_targets_alike():
    recording = spoken()
    example = placed(recording, recording.samples, 1.0, 0.5, 0.5, [(1.14, 2.0)])
    assert len(example.samples) == len(recording.samples) + 3 * RATE_HZ
    assert not np.any(example.samples[int(1.65 * RATE_HZ) : int(3.63 * RATE_HZ)])
    assert not example.phones[84:181].any()
    assert not example.motion[88:177].any()
    later = placed(recording, recording.samples, 1.0, 2.5, 0.5)
    np.testing.assert_array_equal(example.motion[183:], later.motion[183:])
    np.testing.assert_array_equal(example.phones[183:], later.phones[183:])


def test_what_is_no_speech_is_labelled_silence():
    for seed in range(12):
        example = noise_only(np.random.default_rng(seed), 3.0)
        assert len(example.samples) == 3 * RATE_HZ
        assert np.sqrt(np.mean(example.samples**2)) == pytest.approx(0.1, rel=0.01)
        assert not example.motion.any()
        assert not example.phones.any()
    recording = spoken()
    longest = max((augmented(recording, np.random.default_rng(seed)) for seed in range(40)),
                  key=lambda example: len(example.samples))  # fmt: skip
    assert not longest.motion[longest.phones == 0].any()


def test_noises_have_the_colours_of_their_names():
    def tilt_db(kind):
        spectrum = np.abs(np.fft.rfft(noise(64000, np.random.default_rng(0), kind))) ** 2
        return 10 * np.log10(spectrum[1000:2000].mean() / spectrum[16000:32000].mean())  # four octaves apart

    assert tilt_db("white") == pytest.approx(0, abs=1)
    assert tilt_db("pink") == pytest.approx(12, abs=2)
    assert tilt_db("brown") == pytest.approx(24, abs=3)
    assert all(np.isfinite(noise(16000, np.random.default_rng(1), kind)).all() for kind in NOISES)


def test_laughter_pulses_four_to_six_times_a_second_and_music_has_tones():
    rates = []
    for seed in range(8):
        sound = laughter(np.random.default_rng(seed))
        envelope = np.convolve(sound.astype(float) ** 2, np.ones(800) / 800, "same")[::160]
        spectrum = np.abs(np.fft.rfft(envelope - envelope.mean(), 4096))
        rates.append(np.argmax(spectrum[80:400]) / 40.96 + 80 / 40.96)
    assert 3.5 < np.median(rates) < 6.5
    spectrum = np.abs(np.fft.rfft(music(32000, np.random.default_rng(0)) * np.hanning(32000)))
    assert spectrum.max() > 30 * np.median(spectrum[:8000])


def test_rooms_keep_the_direct_sound_first_and_noise_keeps_its_ratio():
    for seed in range(5):
        response = room_response(np.random.default_rng(seed))
        assert response[0] == 1
        assert np.argmax(np.abs(response)) == 0 or np.abs(response).max() < 1.5
        assert 0.01 < np.sum(response[1:] ** 2) < 8
    click = np.zeros(8000, np.float32)
    click[4000] = 1
    assert not np.any(np.abs(in_a_room(click, np.random.default_rng(0))[:4000]) > 1e-5)
    sound = vowels()
    level = float(np.sqrt(np.mean(sound**2)))
    added = [beside_other_sounds(sound, level, [], np.random.default_rng(seed)) - sound for seed in range(80)]
    ratios_db = -20 * np.log10([np.sqrt(np.mean(part**2)) / level for part in added])
    assert ratios_db.min() < 5
    assert ratios_db.min() > -1.5
    assert ratios_db.max() > 40
    spectrum = np.abs(np.fft.rfft(telephoned(sound, np.random.default_rng(0))))
    assert spectrum[int(4500 * 2.4) :].max() < 0.02 * spectrum.max()


def test_a_crowd_talks_at_once_and_overload_cuts_the_peaks():
    voices = [vowels(f0_hz) for f0_hz in (100, 160, 230)]
    crowd = babble(voices, 40000, np.random.default_rng(0))
    assert len(crowd) == 40000
    assert np.sqrt(np.mean(crowd**2)) == pytest.approx(1, abs=0.01)
    spectrum = np.abs(np.fft.rfft(crowd * np.hanning(40000)))
    alone = [np.abs(np.fft.rfft(voice[:38000] * np.hanning(38000), 40000)) for voice in voices]
    assert all(np.corrcoef(spectrum, other)[0, 1] > 0.3 for other in alone)
    loud = vowels()
    for seed in range(6):
        cut = overloaded(loud, np.random.default_rng(seed))
        assert np.abs(cut).max() < 0.9 * np.abs(loud).max()
        assert np.corrcoef(cut, loud)[0, 1] > 0.8


def test_a_rare_voice_is_taken_more_often():
    entry = lambda voice, kind, seconds: {"voice": voice, "kind": kind, "duration_s": seconds}  # noqa: E731
    entries = [entry("rare", "recorded", 100.0), entry("usual", "flite", 400.0), entry("common", "festival", 1600.0),
               *[entry(f"espeak-{index}", "espeak", 10.0) for index in range(4)]]  # fmt: skip
    assert preparation._versions(entries)[:3] == [5, 4, 3]
    assert sorted(preparation._versions(entries)[3:]) == [1, 1, 2, 2]
    assert kind_of({"voice": "flite-rms"}) == "flite"


def write_corpus(folder: Path, count: int = 10) -> SpeechCorpus:
    items = []
    for index in range(count):
        recording = spoken()
        soundfile.write(folder / f"item-{index}.flac", recording.samples, RATE_HZ)
        np.savez(folder / f"item-{index}.npz", motion=recording.motion.astype(np.float16), phones=recording.phones,
                 accents=recording.accents.astype(np.float16))  # fmt: skip
        kind, voice = [("espeak", "espeak-x"), ("recorded", "anna"), ("recorded", "bela")][(index % 4) % 3]
        items.append({"name": f"item-{index}", "split": "release" if index == 9 else "train", "voice": voice,
                      "kind": kind, "duration_s": 2.4})  # fmt: skip
    index = {"format": "erlnet-speech-corpus", "version": 1, "channels": list(ARTICULATION), "sample_rate_hz": RATE_HZ,
             "phone_classes": list(PHONE_CLASSES), "motion_rate_hz": 100, "items": items}  # fmt: skip
    (folder / "corpus.json").write_text(json.dumps(index))
    return SpeechCorpus(folder)


def test_prepared_material_is_mapped_balanced_and_the_same_each_time(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path)
    monkeypatch.setattr(preparation, "_CHUNK", 4)
    first = prepare(corpus, 0, QUIET)
    assert isinstance(first.mel, np.memmap)
    assert first.starts[-1] == len(first.motion) == len(first.phones) == len(first.accents) == len(first.mel) // 2
    assert set(np.unique(first.pools)) == {0, 1, 2}
    assert (first.voices[first.pools == 2] == -1).all()
    assert set(first.voices[first.pools == 1]) == {1, 2}
    assert len(first.voices) == len(first.pools) == len(first.starts) - 1
    recorded = sum(entry["kind"] == "recorded" for entry in corpus.entries("train"))
    assert 3 * recorded <= np.sum(first.pools == 1) <= 5 * recorded
    silent = [first.motion[a:b] for a, b, pool in zip(first.starts, first.starts[1:], first.pools, strict=False)
              if pool == 2]  # fmt: skip
    assert not any(motion.any() for motion in silent)
    mel = np.array(first.mel)
    folder = next(tmp_path.glob("prepared-*"))
    changed_at = (folder / "mel.npy").stat().st_mtime_ns
    prepare(corpus, 0, QUIET)
    assert (folder / "mel.npy").stat().st_mtime_ns == changed_at
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    np.testing.assert_array_equal(prepare(corpus, 0, QUIET, processes=2).mel, mel)
    assert len(prepare(corpus, 1, QUIET).starts)
    assert len(list(tmp_path.glob("prepared-*"))) == 2
    more = prepare(corpus, 0, QUIET, splits=("train", "release"))
    assert len(more.starts) > len(first.starts)
    (folder / "mel.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ErlnetError, match="Prepared corpus is damaged"):
        prepare(corpus, 0, QUIET)


def test_preparation_that_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "_CHUNK", 3)
    (tmp_path / "whole").mkdir()
    whole = np.array(prepare(write_corpus(tmp_path / "whole"), 0, QUIET).mel)
    corpus = write_corpus(tmp_path)
    original, done = preparation._prepare_chunk, []

    def stopped(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(arguments[-1])
        return original(*arguments)

    monkeypatch.setattr(preparation, "_prepare_chunk", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(corpus, 0, QUIET)
    assert not list(tmp_path.glob("prepared-*"))
    monkeypatch.setattr(preparation, "_prepare_chunk", lambda *a: (done.append(a[-1]), original(*a))[1])
    np.testing.assert_array_equal(prepare(corpus, 0, QUIET).mel, whole)
    assert [chunk.start for chunk in done] == [0, 3, 6]
    assert not list(tmp_path.glob(".prepared-*"))
