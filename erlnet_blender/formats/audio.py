"""Recordings: WAV, FLAC, OGG (and MP3 where libsndfile reads it) as mono float32, streamed in blocks.

Only the worker's side imports this module: a damaged file may crash a decoder, and then a job fails, not Blender.
No memory is set aside from what a header claims; what counts is what can be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ..errors import ErlnetError

FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3", "MPEG")
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4000, 384_000
MOST_CHANNELS = 64
LONGEST_S = 12 * 3600
_BLOCK_S = 10.0
_CONVERT = "convert it to WAV or FLAC"


@dataclass
class Audio:
    """Mono samples in about -1..1, their rate, and what was odd about the file (one sentence each)."""

    samples: np.ndarray
    sample_rate_hz: int
    notes: list[str] = field(default_factory=list)


def read_audio(
    path: str | os.PathLike, start_s: float = 0.0, duration_s: float | None = None
) -> tuple[np.ndarray, int]:
    """(n,) mono float32 samples and their rate in hertz; see `load_audio`."""
    audio = load_audio(path, start_s, duration_s)
    return audio.samples, audio.sample_rate_hz


def load_audio(
    path: str | os.PathLike, start_s: float = 0.0, duration_s: float | None = None, rate_hz: int | None = None
) -> Audio:
    """Read a recording, or a part of it, at once; see `AudioStream`."""
    stream = AudioStream(path, start_s, duration_s, rate_hz)
    samples = np.concatenate(list(stream))
    return Audio(samples, stream.sample_rate_hz, stream.notes)


class AudioStream:
    """A recording block by block, or the part of it from `start_s` on that lasts `duration_s` (None: to the end).

    Channels are averaged. NaN and infinite samples become 0, and are counted in a note; so is a file that ends early.

    Args:
        rate_hz: resample to this rate block by block, so that a long recording never lies in memory.

    Raises:
        ErlnetError: missing, empty, not audio, of an unsupported kind, or nothing in the part that was asked for; when
            made, or on the way.
    """

    def __init__(
        self, path: str | os.PathLike, start_s: float = 0.0, duration_s: float | None = None, rate_hz: int | None = None
    ) -> None:
        path = Path(path)
        if not (np.isfinite(start_s) and start_s >= 0) or (duration_s is not None and not duration_s > 0):
            what = f"No such part of the audio: start {start_s} s, length {duration_s} s"
            raise ErlnetError(what, path, "trim it again")
        _check_file(path)
        self.path, self.start_s, self._asked_s, self._rate_hz = path, start_s, duration_s, rate_hz
        self.notes: list[str] = []
        """What was odd about the file, one sentence each; complete after the last block."""
        self.duration_s, self.sample_rate_hz = 0.0, rate_hz or 0
        """What was read so far, in seconds; the rate of the samples."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """(n,) float32 samples."""
        try:
            with soundfile.SoundFile(self.path) as file:
                _check_kind(file, self.path)
                yield from self._read(file)
        except soundfile.SoundFileError as error:
            raise _unreadable(self.path, error) from error

    def _read(self, file: soundfile.SoundFile) -> Iterator[np.ndarray]:
        own_hz, path = file.samplerate, self.path
        self.sample_rate_hz = self._rate_hz or own_hz
        stream = _Resampler(own_hz, self.sample_rate_hz)
        count = spoilt = 0
        for block in _blocks(file, path, round(self.start_s * own_hz), self._asked_s, self.notes):
            bad = ~np.isfinite(block)
            spoilt += int(bad.any(1).sum())
            mono = np.where(bad, 0, block).mean(1, dtype=np.float32)
            count += len(mono)
            if count > LONGEST_S * own_hz:
                raise ErlnetError(f"Audio is longer than {LONGEST_S // 3600} hours", path, "trim it")
            self.duration_s = count / own_hz
            yield stream.push(np.clip(mono, -1e3, 1e3))
        if count == 0:
            if self.start_s > 0:
                raise ErlnetError(f"Audio ends before {self.start_s:g} s", path, "trim the strip again")
            raise ErlnetError("Audio is empty", path, "choose a recording with sound in it")
        yield stream.finish()
        if spoilt:
            self.notes.append(f"{spoilt} samples were not numbers and were silenced")
        header = _wav_header(path)
        if header and self._asked_s is None and header.data_bytes > header.present_bytes and header.frame_bytes:
            claimed_s = header.data_bytes / header.frame_bytes / own_hz
            self.notes.append(f"file ends at {self.start_s + self.duration_s:.1f} s of {claimed_s:.1f} s")


def resampled(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Mono samples at another rate, in blocks; ceil(n to / from) of them."""
    stream = _Resampler(from_hz, to_hz)
    step = max(1, int(_BLOCK_S * from_hz))
    parts = [stream.push(samples[start : start + step]) for start in range(0, len(samples), step)]
    return np.concatenate([*parts, stream.finish()])


class _Resampler:
    """A polyphase resampler that takes blocks and gives what the whole recording would have given."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = gcd(int(from_hz), int(to_hz))
        self.up, self.down = int(to_hz) // common, int(from_hz) // common
        # scipy's filter reaches 10 samples of the slower rate; blocks and margins lie on the common grid of both rates.
        reach = ceil(10 * max(self.up, self.down) / self.up) + 1
        self.margin = self.down * ceil(reach / self.down)
        self.block = self.down * ceil(_BLOCK_S * from_hz / self.down)
        self.waiting = np.zeros(self.margin, np.float32)

    def _convert(self, samples: np.ndarray, keep: int) -> np.ndarray:
        skip = self.margin * self.up // self.down
        return resample_poly(samples, self.up, self.down)[skip : skip + keep].astype(np.float32)

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take samples; give those that are settled."""
        if self.up == self.down:
            return block.astype(np.float32)
        self.waiting = np.concatenate([self.waiting, block])
        done = []
        while len(self.waiting) >= self.block + 2 * self.margin:
            window = self.waiting[: self.block + 2 * self.margin]
            done.append(self._convert(window, self.block * self.up // self.down))
            self.waiting = self.waiting[self.block :]
        return np.concatenate(done) if done else np.zeros(0, np.float32)

    def finish(self) -> np.ndarray:
        """The rest."""
        left = len(self.waiting) - self.margin
        if self.up == self.down or left <= 0:
            return np.zeros(0, np.float32)
        padded = np.concatenate([self.waiting, np.zeros(self.margin, np.float32)])
        return self._convert(padded, ceil(left * self.up / self.down))


def _check_file(path: Path) -> None:
    if "\0" in str(path):
        raise ErlnetError("File name holds a NUL character", repr(str(path)), "choose another file")
    try:
        if path.is_dir():
            raise ErlnetError("This is a folder, not a recording", path, "choose a sound file")
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise ErlnetError("Audio file not found", path, "check the path, or relink it in the strip") from error
    except OSError as error:
        raise ErlnetError(f"Audio file cannot be opened ({error.strerror})", path, "check the path") from error
    if size == 0:
        raise ErlnetError("Audio is empty", path, "choose a recording with sound in it")


def _check_kind(file: soundfile.SoundFile, path: Path) -> None:
    if file.format not in FORMATS or "ADPCM" in file.subtype or file.subtype in ("GSM610", "G721_32"):
        raise ErlnetError(f"Unsupported audio format {file.format} {file.subtype}", path, _CONVERT)
    if not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ:
        raise ErlnetError(f"Unsupported sample rate of {file.samplerate} Hz", path, f"{_CONVERT} of 16 to 48 kHz")
    if not 1 <= file.channels <= MOST_CHANNELS:
        raise ErlnetError(f"Unsupported number of channels, {file.channels}", path, f"{_CONVERT} with 1 or 2 channels")


def _unreadable(path: Path, error: Exception) -> ErlnetError:
    reason = str(error).split(":")[-1].strip().rstrip(".")
    claimed = _wav_header(path)
    if claimed and not LOWEST_RATE_HZ <= claimed.rate_hz <= HIGHEST_RATE_HZ:
        return ErlnetError(f"Unsupported sample rate of {claimed.rate_hz} Hz", path, f"{_CONVERT} of 16 to 48 kHz")
    if claimed and not 1 <= claimed.channels <= MOST_CHANNELS:
        return ErlnetError(f"Unsupported number of channels, {claimed.channels}", path, _CONVERT)
    if claimed and claimed.data_bytes == 0:
        return ErlnetError("Audio is empty", path, "choose a recording with sound in it")
    return ErlnetError(f"Not a readable recording ({reason})", path, _CONVERT)


def _blocks(
    file: soundfile.SoundFile, path: Path, skip: int, duration_s: float | None, notes: list[str]
) -> Iterator[np.ndarray]:
    """(n, channels) float32 blocks from frame `skip` on; a file that breaks off gives what came before."""
    if skip and file.seekable() and skip <= file.frames:
        file.seek(skip)
        skip = 0
    left = None if duration_s is None else max(1, round(duration_s * file.samplerate))
    size, given = int(_BLOCK_S * file.samplerate), 0
    while left is None or left > 0:
        try:
            block = file.read(size if skip else min(size, left or size), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            if given == 0:
                raise _unreadable(path, error) from error
            notes.append(f"file is damaged after {given / file.samplerate:.1f} s")
            return
        if not len(block):
            return
        skipped = min(skip, len(block))
        block, skip = block[skipped:], skip - skipped
        if left is not None:
            block = block[:left]
            left -= len(block)
        given += len(block)
        if len(block):
            yield block


@dataclass
class _WavHeader:
    rate_hz: int
    channels: int
    frame_bytes: int
    data_bytes: int
    present_bytes: int


def _wav_header(path: Path) -> _WavHeader | None:
    """What a RIFF WAVE file claims, and how much of its data is there; None for other files."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        rate_hz = channels = frame_bytes = 0
        for _ in range(64):
            chunk = file.read(8)
            if len(chunk) < 8:
                break
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return _WavHeader(rate_hz, channels, frame_bytes, length, max(0, min(length, size - file.tell())))
            body = file.read(16) if chunk[:4] == b"fmt " else b""
            if len(body) == 16:
                channels, rate_hz = int.from_bytes(body[2:4], "little"), int.from_bytes(body[4:8], "little")
                frame_bytes = int.from_bytes(body[12:14], "little")
            file.seek(length + length % 2 - len(body), os.SEEK_CUR)
        return _WavHeader(rate_hz, channels, frame_bytes, 0, 0) if rate_hz or channels or frame_bytes else None
