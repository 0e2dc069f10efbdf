"""Forced alignment: when the phones of a known English text are spoken, found by PocketSphinx 5 and its own model.

`python -m studio.speech.align` writes the times of allison.json anew; the corpus aligns those voices that do not tell
their phone times. The acoustic model and the dictionary (CMUdict) come with the package `pocketsphinx`.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.atomic import write_bytes

from .phones import atomic_phones, ipa_of_arpabet
from .recorded import ALLISON_FOLDER, ALLISON_RATE_HZ, allison_samples, allison_times
from .spoken import Phone

RATE_HZ = ALLISON_RATE_HZ
_PADDING_S = 0.5
FRAMES_PER_S = 100
_FAINT = 1e-4


@lru_cache(maxsize=1)
def require_decoder():
    """PocketSphinx's decoder, with its English model.

    Raises:
        ErlnetError: the package is not installed.
    """
    try:
        from pocketsphinx import Decoder  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ErlnetError("Alignment needs PocketSphinx", "", "pip install pocketsphinx") from error
    return Decoder(samprate=RATE_HZ, lm=None, loglevel="FATAL", bestpath=False)


def words(text: str) -> list[str]:
    """The words of a text as the dictionary writes them."""
    return [word.strip("-'") for word in "".join(c if c.isalpha() or c in "'-" else " " for c in text.lower()).split()]


def is_known(text: str) -> bool:
    """Whether every word of `text` is in the dictionary."""
    decoder = require_decoder()
    return all(decoder.lookup_word(word) for word in words(text))


def aligned(samples: np.ndarray, text: str) -> list[Phone]:
    """The phones of `text` in 16 kHz samples, to 10 ms; none if the words cannot be found in the sound.

    Half a second of faint noise is put on both sides: the decoder has to hear the room first.

    Raises:
        ErlnetError: PocketSphinx is not installed.
    """
    decoder = require_decoder()
    padding = np.random.default_rng(0).normal(0, _FAINT, int(_PADDING_S * RATE_HZ))
    sound = (np.concatenate([padding, samples, padding]).clip(-1, 1) * 32767).astype(np.int16).tobytes()
    decoder.set_align_text(" ".join(words(text)))
    try:
        for refine in (lambda: None, decoder.set_alignment):  # words, then the phones in them
            refine()
            decoder.start_utt()
            decoder.process_raw(sound, full_utt=True)
            decoder.end_utt()
        found = decoder.get_alignment()
    except RuntimeError:
        return []
    length_s, segments = len(samples) / RATE_HZ, []
    for word in found or ():
        for phone in word:
            start_s = phone.start / FRAMES_PER_S - _PADDING_S
            end_s = min(start_s + phone.duration / FRAMES_PER_S, length_s)
            segments.append((max(start_s, 0.0), end_s, ipa_of_arpabet(phone.name.lower())))
    return atomic_phones(segments)


def main() -> int:
    """The command line; 0 = written, 2 = PocketSphinx or the recordings are missing."""
    try:
        if not ALLISON_FOLDER.is_dir():
            raise ErlnetError("No recordings", ALLISON_FOLDER, "install `asterisk-core-sounds-en-g722`")
        lines = []
        texts = {name: about["text"] for name, about in sorted(allison_times().items())}
        for (name, text), samples in zip(texts.items(), allison_samples(list(texts)), strict=True):
            phones = [[round(p.start_s, 3), round(p.end_s, 3), p.symbol] for p in aligned(samples, text)]
            lines.append(f" {json.dumps(name)}: {json.dumps({'text': text, 'phones': phones}, ensure_ascii=False)}")
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_bytes(Path(__file__).with_name("allison.json"), ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    print(f"{len(lines)} recordings aligned")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
