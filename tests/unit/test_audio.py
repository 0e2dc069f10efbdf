"""Reading recordings: every kind of bad file gives one clear sentence, every good one the right samples."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.audio import load_audio, read_audio, resampled


def tone(duration_s: float = 1.0, rate_hz: int = 16000, frequency_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(duration_s * rate_hz)) / rate_hz)).astype(np.float32)


def wav_bytes(data: bytes, rate_hz: int = 16000, channels: int = 1, claimed: int | None = None, kind: int = 1) -> bytes:
    frame = 2 * max(1, channels)
    format_chunk = struct.pack("<HHIIHH", kind, channels, rate_hz, (rate_hz * frame) % 2**32, frame % 65536, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + format_chunk
    body += b"data" + struct.pack("<I", len(data) if claimed is None else claimed) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "FLOAT"), (".wav", "PCM_U8"), (".flac", "PCM_16"),
     (".ogg", "VORBIS"), (".aiff", "PCM_16")],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_reads_every_common_kind_as_mono(tmp_path, suffix, subtype, channels):
    path = tmp_path / f"ein Lied '★'{suffix}"
    soundfile.write(path, np.repeat(tone()[:, None], channels, 1), 16000, subtype=subtype)
    samples, rate_hz = read_audio(path)
    assert (rate_hz, samples.dtype, samples.shape) == (16000, np.float32, (16000,))
    assert np.abs(samples - tone()).max() < (0.05 if subtype == "VORBIS" else 0.01)


def test_missing_file(tmp_path):
    with pytest.raises(ErlnetError, match=r"Audio file not found.*gone\.wav.*relink"):
        read_audio(tmp_path / "gone.wav")


def test_folder(tmp_path):
    with pytest.raises(ErlnetError, match="folder, not a recording"):
        read_audio(tmp_path)


@pytest.mark.parametrize("data", [b"", wav_bytes(b""), wav_bytes(b"")[:44]])
def test_empty_file_or_header_only(tmp_path, data):
    path = tmp_path / "empty.wav"
    path.write_bytes(data)
    with pytest.raises(ErlnetError, match="Audio is empty"):
        read_audio(path)


@pytest.mark.parametrize("data", [b"Dear diary, this is text.\n" * 40, b"\x00" * 5000, b"RIFF", b"RIFF\x10\0\0\0WAVE"])
def test_what_is_no_audio(tmp_path, data):
    path = tmp_path / "text.wav"
    path.write_bytes(data)
    with pytest.raises(ErlnetError, match=r"(Not a readable recording|Audio is empty).*text\.wav"):
        read_audio(path)


@pytest.mark.parametrize("rate_hz", [0, 1, 10_000_000])
def test_sample_rate_out_of_range(tmp_path, rate_hz):
    path = tmp_path / "rate.wav"
    path.write_bytes(wav_bytes(bytes(3200), rate_hz=rate_hz))
    with pytest.raises(ErlnetError, match=f"Unsupported sample rate of {rate_hz} Hz"):
        read_audio(path)


@pytest.mark.parametrize("channels", [0, 256])
def test_channels_out_of_range(tmp_path, channels):
    path = tmp_path / "channels.wav"
    path.write_bytes(wav_bytes(bytes(5120), channels=channels))
    with pytest.raises(ErlnetError, match=f"Unsupported number of channels, {channels}"):
        read_audio(path)


def test_adpcm_is_refused_by_name(tmp_path):
    path = tmp_path / "old.wav"
    soundfile.write(path, tone(), 16000, subtype="IMA_ADPCM")
    with pytest.raises(ErlnetError, match="Unsupported audio format WAV IMA_ADPCM.*convert it to WAV or FLAC"):
        read_audio(path)


def test_not_numbers_become_silence_and_are_counted(tmp_path):
    path = tmp_path / "nan.wav"
    samples = tone()
    samples[100:110], samples[200] = np.nan, np.inf
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    audio = load_audio(path)
    assert np.isfinite(audio.samples).all()
    assert (audio.samples[100:110] == 0).all()
    assert audio.notes == ["11 samples were not numbers and were silenced"]


@pytest.mark.parametrize("claimed", [32000 * 4, 0xFFFFFFFF - 100])
def test_truncated_wav_gives_what_is_there(tmp_path, claimed):
    path = tmp_path / "cut.wav"
    path.write_bytes(wav_bytes((tone() * 32767).astype("<i2").tobytes(), claimed=claimed))
    audio = load_audio(path)
    assert len(audio.samples) == 16000
    assert audio.notes
    assert audio.notes[0].startswith("file ends at 1.0 s of")


def test_truncated_flac_gives_a_start_or_a_clear_error(tmp_path):
    path = tmp_path / "cut.flac"
    rng = np.random.default_rng(0)
    soundfile.write(path, rng.uniform(-0.5, 0.5, 16000 * 40), 16000)
    path.write_bytes(path.read_bytes()[:-200_000])
    try:
        audio = load_audio(path)
    except ErlnetError as error:
        assert "Not a readable recording" in str(error)  # noqa: PT017
    else:
        assert 16000 < len(audio.samples) < 16000 * 40


def test_trimming(tmp_path):
    path = tmp_path / "long.wav"
    samples = np.linspace(-0.9, 0.9, 16000 * 25, dtype=np.float32)
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    part, _ = read_audio(path, 3.5, 12.25)
    assert np.array_equal(part, samples[56000 : 56000 + 196000])
    rest, _ = read_audio(path, 20.0)
    assert len(rest) == 16000 * 5
    with pytest.raises(ErlnetError, match="Audio ends before 30 s"):
        read_audio(path, 30.0, 1.0)
    with pytest.raises(ErlnetError, match="No such part"):
        read_audio(path, -1.0)
    with pytest.raises(ErlnetError, match="No such part"):
        read_audio(path, 0.0, 0.0)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 16000), (44100, 16000), (8000, 16000), (11127, 16000)])
def test_resampling_keeps_a_tone_and_has_no_seams(from_hz, to_hz):
    samples = tone(25.3, from_hz)
    result = resampled(samples, from_hz, to_hz)
    assert len(result) == -(-len(samples) * to_hz // from_hz)
    expected = tone(26, to_hz)[: len(result)]
    inside = slice(to_hz // 10, -to_hz // 10)
    assert np.abs(result - expected)[inside].max() < 2e-3


def test_resampling_while_reading_equals_resampling_afterwards(tmp_path):
    path = tmp_path / "long.wav"
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, 44100 * 23).astype(np.float32)
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    audio = load_audio(path, rate_hz=16000)
    assert audio.sample_rate_hz == 16000
    assert np.abs(audio.samples - resampled(samples, 44100, 16000)).max() < 1e-6


def test_one_sample_is_audio(tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.array([0.25], np.float32), 16000, subtype="FLOAT")
    assert read_audio(path)[0].tolist() == [0.25]
