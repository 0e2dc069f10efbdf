"""Forced alignment of asterisk's recordings: `python -m studio.speech.align` writes the times of allison.json anew.

It needs PocketSphinx 5 (`pip install pocketsphinx`, not a dependency of the project) with the English acoustic model
and dictionary that come with it. The texts stay as they are in the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.atomic import write_bytes

from .phones import atomic_phones, ipa_of_arpabet
from .recorded import ALLISON_FOLDER, ALLISON_RATE_HZ, allison_samples, allison_times

_PADDING_S = 0.5
_FRAMES_PER_S = 100
_FAINT = 1e-4


def aligned(decoder, samples: np.ndarray, text: str) -> list[list]:
    """[start_s, end_s, IPA letter] of the phones of `text` in 16 kHz samples.

    Half a second of faint noise is put on both sides: the decoder has to hear the room first.
    """
    padding = np.random.default_rng(0).normal(0, _FAINT, int(_PADDING_S * ALLISON_RATE_HZ))
    sound = (np.concatenate([padding, samples, padding]).clip(-1, 1) * 32767).astype(np.int16).tobytes()
    decoder.set_align_text(text.lower())
    for refine in (lambda: None, decoder.set_alignment):  # words, then the phones in them
        refine()
        decoder.start_utt()
        decoder.process_raw(sound, full_utt=True)
        decoder.end_utt()
    length_s, segments = len(samples) / ALLISON_RATE_HZ, []
    for word in decoder.get_alignment():
        for phone in word:
            start_s = phone.start / _FRAMES_PER_S - _PADDING_S
            end_s = min(start_s + phone.duration / _FRAMES_PER_S, length_s)
            segments.append((max(start_s, 0.0), end_s, ipa_of_arpabet(phone.name.lower())))
    return [[round(p.start_s, 3), round(p.end_s, 3), p.symbol] for p in atomic_phones(segments)]


def main() -> int:
    """The command line; 0 = written, 2 = PocketSphinx or the recordings are missing."""
    try:
        if not ALLISON_FOLDER.is_dir():
            raise ErlnetError("No recordings", ALLISON_FOLDER, "install `asterisk-core-sounds-en-g722`")
        try:
            from pocketsphinx import Decoder  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ErlnetError("Alignment needs PocketSphinx", "", "pip install pocketsphinx") from error
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    decoder = Decoder(samprate=ALLISON_RATE_HZ, lm=None, loglevel="FATAL", bestpath=False)
    lines = []
    texts = {name: about["text"] for name, about in sorted(allison_times().items())}
    for (name, text), samples in zip(texts.items(), allison_samples(list(texts)), strict=True):
        entry = json.dumps({"text": text, "phones": aligned(decoder, samples, text)}, ensure_ascii=False)
        lines.append(f" {json.dumps(name)}: {entry}")
    write_bytes(Path(__file__).with_name("allison.json"), ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    print(f"{len(lines)} recordings aligned")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
