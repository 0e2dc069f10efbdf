"""The texts of the corpus: `sentences.json`, sentences put together from parts, shuffled words, and pseudo-words.

No text is in two splits, whatever the voice: of a list, every ninth sentence is for testing only and every ninth plus
four for development; a text that is drawn at random belongs to the split that its checksum says.
"""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path
from zlib import crc32

_STRIDE, _TEST_PHASE, _DEVELOPMENT_PHASE = 9, 0, 4
# Half of what is said in a language that nobody is trained on: the other half is for the weights that ship.
_STRIDES = {"it": 2}
# Shorter lists are not split: they are of languages that no development or held-out voice speaks besides others.
_SHORTEST_SPLIT = 18
_ONSETS = [
    "p", "b", "m", "f", "v", "t", "d", "n", "s", "z", "l", "r", "k", "g", "h", "w", "j", "th", "sh", "ch", "bl", "br",
    "pl", "pr", "fl", "fr", "tr", "dr", "kl", "gr", "st", "sp", "sm", "sn", "sw",
]  # fmt: skip
_SINGLE_ONSETS = 20
_NUCLEI = ["a", "e", "i", "o", "u", "ee", "oo", "ar", "or", "er", "ay", "ow", "oy"]
_CODAS = [
    "p", "b", "m", "f", "v", "t", "d", "n", "s", "z", "l", "k", "g", "th", "sh", "ch", "ng", "mp", "lp", "nt", "lb",
    "lm", "st", "sk", "nd", "x",
]  # fmt: skip
# Scripts that pseudo-words in Latin letters do not suit, and one without spaces between words.
_OWN_SCRIPT = {"hi", "el", "ru", "uk", "mr", "te", "ja", "cmn-latn-pinyin"}
_UNSPACED = {"ja"}


@lru_cache(maxsize=1)
def _texts() -> dict:
    return json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf8"))


def _split_at(place: int, stride: int = _STRIDE) -> str:
    return {_TEST_PHASE: "test", _DEVELOPMENT_PHASE: "development"}.get(place % stride, "train")


def sentences(language: str, split: str) -> list[str]:
    """The sentences of a language (a key of sentences.json) for `train`, `development` or `test`."""
    every = _texts()["languages"][language]
    if len(every) < _SHORTEST_SPLIT:
        return every
    return [text for place, text in enumerate(every) if _split_at(place, _STRIDES.get(language, _STRIDE)) == split]


def english(split: str) -> list[str]:
    """The English sentences of a split."""
    return sentences("en", split)


def pseudo_words(random_source: random.Random) -> str:
    """A line of words that mean nothing but bring every consonant next to every other, also between words."""

    def syllable() -> str:
        onset = random_source.choice(_ONSETS if random_source.random() < 0.35 else _ONSETS[:_SINGLE_ONSETS])
        coda = random_source.choice(_CODAS) if random_source.random() < 0.55 else ""
        return onset + random_source.choice(_NUCLEI) + coda

    words = (
        "".join(syllable() for _ in range(random_source.choice((1, 1, 2, 2, 3)))) for _ in range(_length(random_source))
    )
    return " ".join(words) + "."


def made_up(random_source: random.Random) -> str:
    """A grammatical English sentence from random parts."""
    parts = _texts()["parts"]
    text = " ".join(random_source.choice(parts[kind]) for kind in ("subjects", "verbs", "objects", "tails"))
    return text[0].upper() + text[1:] + random_source.choice("..?!")


def shuffled(random_source: random.Random, language: str) -> str:
    """Words of the language's sentences in no order: new neighbours across every word boundary."""
    words = [word.strip(".,;:!?।¿¡") for text in _texts()["languages"][language] for word in text.split()]
    return " ".join(random_source.choice(words) for _ in range(_length(random_source))) + "."


def any_english(random_source: random.Random, split: str = "train") -> str:
    """One English text of a split."""
    draw = random_source.random()
    if draw < 0.4:
        return random_source.choice(english(split))
    if draw < 0.7:
        return _of_split(lambda: made_up(random_source), split)
    return _of_split(lambda: shuffled(random_source, "en") if draw < 0.83 else pseudo_words(random_source), split)


def any_text(random_source: random.Random, language: str, split: str = "train") -> str:
    """One text of a split in `language` (a key of sentences.json)."""
    if language == "en":
        return any_english(random_source, split)
    draw = random_source.random()
    if draw < 0.5 or language in _UNSPACED:
        return random_source.choice(sentences(language, split))
    if draw < 0.8 or language in _OWN_SCRIPT:
        return _of_split(lambda: shuffled(random_source, language), split)
    return _of_split(lambda: pseudo_words(random_source), split)


def _of_split(draw, split: str) -> str:
    while True:
        text = draw()
        if _split_at(crc32(text.encode())) == split:
            return text


def _length(random_source: random.Random) -> int:
    return random_source.randint(3, 7)


def languages() -> list[str]:
    """The languages besides English."""
    return [language for language in _texts()["languages"] if language != "en"]
