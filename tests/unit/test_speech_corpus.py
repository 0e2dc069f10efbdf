"""The rules of the corpus, on phones written by hand: no synthesiser is needed."""

from __future__ import annotations

import random
import shutil
from itertools import islice, pairwise

import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import ARTICULATION, PHONE_CLASSES
from studio.speech import aligned_voices, recorded, sentences, stamps
from studio.speech.articulatory_targets import CONSONANTS, VOWELS
from studio.speech.cast import TEST_LANGUAGES, TEST_VARIANTS, parts
from studio.speech.coarticulation import RATE_HZ, articulation, phone_classes
from studio.speech.corpus import accents, write_item
from studio.speech.espeak import VARIANTS, _start_of_silence
from studio.speech.festival import Line, require_festival, speak
from studio.speech.festival_phones import _TABLES, ipa
from studio.speech.flite import require_flite
from studio.speech.phones import SILENCE, atomic_phones, closure_interval, ipa_of_arpabet, known_letters
from studio.speech.spoken import Phone, Spoken


def curve(phones: list[Phone], duration_s: float, channel: str) -> np.ndarray:
    return articulation(phones, duration_s)[:, ARTICULATION.index(channel)]


def at(curve_: np.ndarray, time_s: float) -> float:
    return float(curve_[int(time_s * RATE_HZ)])


ABA = [Phone(0.2, 0.4, "ɑ"), Phone(0.4, 0.48, "b"), Phone(0.48, 0.7, "ɑ")]


def test_a_bilabial_seals_the_lips_and_lifts_the_jaw():
    closure, jaw = curve(ABA, 1.0, "closure"), curve(ABA, 1.0, "jaw")
    assert at(closure, 0.44) == 1
    assert at(closure, 0.30) == 0
    assert at(closure, 0.60) == 0
    assert at(jaw, 0.44) < 0.3 * at(jaw, 0.6)
    assert at(jaw, 0.6) > 0.5


def test_rounding_starts_before_the_rounded_vowel():
    pucker = curve([Phone(0.2, 0.3, "s"), Phone(0.3, 0.36, "t"), Phone(0.36, 0.6, "u")], 0.8, "pucker")
    assert at(pucker, 0.33) > 0.3
    assert at(pucker, 0.48) > 0.7


def test_pauses_come_to_rest():
    channels = articulation([Phone(0.5, 0.7, "ɑ"), Phone(0.7, 1.4, SILENCE), Phone(1.4, 1.6, "i")], 2.2)
    assert channels[:20].max() < 0.02
    assert channels[100:120].max() < 0.02
    assert channels[-20:].max() < 0.02


def test_every_known_sound_has_a_class_and_stays_in_range():
    for letter in [*VOWELS, *CONSONANTS]:
        phones = [Phone(0.1, 0.25, letter), Phone(0.25, 0.4, "a")]
        channels = articulation(phones, 0.5)
        assert channels.min() >= 0
        assert channels.max() <= 1.0001
        assert phone_classes(phones, 0.5)[17] > 0, letter


def test_diphthongs_affricates_and_language_marks():
    phones = atomic_phones(
        [(0.0, 0.1, "aɪ"), (0.1, 0.2, "tʃ"), (0.2, 0.3, "(en)"), (0.3, 0.302, "m"), (0.3, 0.4, "iː")]
    )
    assert [phone.symbol for phone in phones] == ["a", "ɪ", "t", "ʃ", SILENCE, "i"]
    assert phones[0].end_s == pytest.approx(0.058)
    assert phones[2].end_s == pytest.approx(0.145)
    assert known_letters("pʰ") == "p"
    assert ipa_of_arpabet("jh") == "dʒ"
    assert ipa_of_arpabet("pau") == ""


def test_every_phone_of_festival_has_known_letters():
    for phone_set, table in _TABLES.items():
        for name, letters in table.items():
            assert known_letters(letters) == letters, (phone_set, name)
    assert ipa(["pp", "ii", "vv", "ch", "pau"], "russian") == ["p", "i", "v", "tɕ", ""]
    assert ipa(["e1", "m", "b", "i1", "b", "ax", "#"], "catalan") == ["e", "m", "b", "i", "β", "ə", ""]
    assert ipa(["k::", "@:", "7"], "finnish") == ["k", "æ", "ø"]
    assert ipa(["r~*", "i:", "ch"], "czech") == ["rʃ", "i", "x"]


def test_recordings_without_known_phones_have_no_closures():
    rate_hz = 16000
    samples = np.zeros(rate_hz, np.float32)
    samples[4000:8000] = np.random.default_rng(0).normal(0, 0.1, 4000)
    phones = recorded._sound_and_silence(samples, rate_hz)
    assert [(p.start_s, p.end_s, p.symbol) for p in phones] == [
        (0, 0.25, SILENCE),
        (0.25, 0.5, "ə"),
        (0.5, 1.0, SILENCE),
    ]


def test_alignments_are_whole():
    times = recorded.allison_times()
    assert len(times) > 150
    for name, about in times.items():
        phones = [Phone(*phone) for phone in about["phones"]]
        assert all(a.end_s == b.start_s < b.end_s for a, b in pairwise(phones)), name
        assert all(p.symbol in VOWELS or p.symbol in CONSONANTS or p.symbol == SILENCE for p in phones), name


@pytest.mark.skipif(shutil.which("festival") is None, reason="festival is not installed")
def test_festival_speaks_as_fast_as_asked():
    try:
        require_festival()
    except ErlnetError:
        pytest.skip("not all voices of festival are installed")
    usual, slow = speak([Line('Bob said "maybe" to Pam.'), Line("Bob said maybe to Pam.", stretch=1.3)], "kdl")
    assert sum(p.symbol in "bpm" for p in usual.phones) == 6
    assert slow.phones[-1].end_s == pytest.approx(1.3 * usual.phones[-1].end_s, rel=0.02)
    assert 0 <= len(usual.samples) / usual.sample_rate_hz - usual.phones[-1].end_s < 0.05
    assert usual.kind == "festival"
    assert (usual.language, usual.voice) == ("en", "festival-kdl")


def test_the_burst_of_a_stop_is_not_its_closure():
    assert closure_interval(Phone(1.0, 1.1, "p")) == pytest.approx((1.0, 1.075))
    assert closure_interval(Phone(1.0, 1.1, "m")) == pytest.approx((1.0, 1.1))
    assert closure_interval(Phone(1.0, 1.04, "p")) == pytest.approx((1.0, 1.03))


def test_the_silence_before_a_burst_is_found():
    rate_hz = 22050
    samples = np.random.default_rng(0).integers(-3000, 3000, rate_hz).astype(np.int16)
    samples[int(0.45 * rate_hz) : int(0.5 * rate_hz)] = 0
    assert _start_of_silence(samples, 0.5, rate_hz) == pytest.approx(0.45, abs=0.002)
    assert _start_of_silence(samples, 0.8, rate_hz) == pytest.approx(0.75, abs=0.002)  # none there: the usual 50 ms


def test_no_sentence_and_no_voice_is_in_two_splits():
    splits = [set(sentences.english(split)) for split in ("train", "development", "test")]
    assert all(splits)
    assert not (splits[0] | splits[1]) & splits[2]
    assert not splits[0] & splits[1]
    assert not set(TEST_VARIANTS) & set(VARIANTS)
    assert set(TEST_LANGUAGES) < set(sentences.languages())
    assert sentences.made_up(random.Random(1)) == sentences.made_up(random.Random(1))
    drawn = [
        {sentences.any_text(random.Random(seed), language, split) for seed in range(300) for language in languages}
        for split, languages in (("train", ("en", "it")), ("development", ("en", "cs")), ("test", ("en", "it")))
    ]
    assert not drawn[0] & (drawn[1] | drawn[2])
    assert len(drawn[0]) > 200


def test_held_out_voices_are_not_in_training():
    plan = parts(180, 130, 130, 292)
    names = {split: [part.name for part in plan if part.split == split] for split in ("train", "development", "test")}
    assert sum(part.minutes or 0 for part in plan if part.split == "train") == pytest.approx(732)
    for held_out in ("slt", "alan", "kdl", "dita", "-lp", "-pc", "alsa", "allison"):
        assert not [name for name in names["train"] if held_out in name]
        assert [name for name in names["development"] + names["test"] if held_out in name]


def test_an_item_is_written_in_the_documented_format(tmp_path):
    rate_hz = 22050
    samples = np.random.default_rng(0).normal(0, 0.1, rate_hz).astype(np.float32)
    spoken = Spoken("aba", "espeak-test", samples, rate_hz, ABA)
    entry = write_item(tmp_path, "aba-0", "train", spoken)
    assert entry["closures"] == [[0.4, 0.468]]
    assert entry["kind"] == "espeak"
    with np.load(tmp_path / "aba-0.npz", allow_pickle=False) as data:
        assert data["motion"].shape == (100, len(ARTICULATION))
        assert data["phones"].shape == data["accents"].shape == (100,)
        assert PHONE_CLASSES[data["phones"][44]] == "b"
    assert (tmp_path / "aba-0.flac").stat().st_size > 1000
    assert at(accents(spoken, 1.0), 0.3) > 0.5


def test_a_missing_synthesiser_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ErlnetError, match="needs flite.*install the system package `flite`"):
        require_flite()
    with pytest.raises(ErlnetError, match="needs festival.*install the system packages `festival .*festvox-te-nsk`"):
        require_festival()


def test_voices_without_phone_times_are_aligned():
    pytest.importorskip("pocketsphinx")
    try:
        aligned_voices.require_commands()
    except ErlnetError:
        pytest.skip("RHVoice or Pico is not installed")
    for voice in ("rhvoice-alan", "rhvoice-bdl", "rhvoice-clb", "pico-us", "pico-gb"):
        spoken = aligned_voices.speak('Bob said "maybe" to Pam.', voice, stretch=1.1, pitch=1.2)
        assert [p.symbol for p in spoken.phones if p.symbol in "bpmt"] == list("bbmbtpm"), voice
        sounding = [p for p in spoken.phones if p.symbol != SILENCE]
        assert 0.5 < sounding[-1].end_s - sounding[0].start_s < len(spoken.samples) / spoken.sample_rate_hz
        levels = [np.abs(_part(spoken, p)).mean() for p in spoken.phones if p.symbol in "eɛæ"]
        assert min(levels) > 2 * np.abs(spoken.samples).mean() / 3
    assert aligned_voices.speak("Bob said brilloxen.", "pico-gb") is None
    spoken = aligned_voices.speak("Tomo bebe mi vino.", "pico-es")
    assert [p.symbol for p in spoken.phones if p.symbol in "mtβ"][:3] == ["t", "m", "β"]


@pytest.mark.skipif(not stamps.FOLDER.is_dir(), reason="Tux Paint's stamps are not installed")
def test_recordings_of_people_are_aligned_or_left_out():
    spoken = list(islice(stamps.speak("ro", random.Random(0)), 20))
    assert len({one.text for one in spoken}) > 10
    for one in spoken:
        assert one.kind == "recorded"
        assert one.phones[-1].end_s <= len(one.samples) / one.sample_rate_hz + 0.02
        assert len(one.phones) > 0.4 * len(one.text.replace(" ", ""))


def _part(spoken, phone):
    return spoken.samples[int(phone.start_s * spoken.sample_rate_hz) : int(phone.end_s * spoken.sample_rate_hz)]
