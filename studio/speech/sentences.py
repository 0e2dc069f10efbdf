"""The texts of the corpus: `sentences.json`, sentences put together from parts, and pseudo-words."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path

# Every ninth English sentence is for testing only, whatever the voice; and every ninth plus four for development.
_TEST_STRIDE, _TEST_PHASE, _DEVELOPMENT_PHASE = 9, 0, 4
_INITIALS = ["p", "b", "m", "f", "v", "t", "d", "n", "s", "z", "l", "r", "k", "g", "h", "w", "j", "th", "sh", "ch"]
_NUCLEI = ["a", "e", "i", "o", "u", "ee", "oo", "ar", "or", "ay", "ow", "oy"]
# Scripts that pseudo-words in Latin letters do not suit.
_OWN_SCRIPT = {"hi", "el", "ru", "ja", "cmn-latn-pinyin"}


@lru_cache(maxsize=1)
def _texts() -> dict:
    return json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf8"))


def english(split: str) -> list[str]:
    """The English sentences of `train`, `development` or `test`; no sentence is in two splits."""
    phases = {"test": {_TEST_PHASE}, "development": {_DEVELOPMENT_PHASE}}
    wanted = phases.get(split, set(range(_TEST_STRIDE)) - {_TEST_PHASE, _DEVELOPMENT_PHASE})
    return [text for index, text in enumerate(_texts()["languages"]["en"]) if index % _TEST_STRIDE in wanted]


def pseudo_words(random_source: random.Random) -> str:
    """A line of words that mean nothing but hold every consonant."""

    def syllable() -> str:
        coda = random_source.choice(_INITIALS[:14]) if random_source.random() < 0.35 else ""
        return random_source.choice(_INITIALS) + random_source.choice(_NUCLEI) + coda

    words = (
        "".join(syllable() for _ in range(random_source.randint(1, 3))) for _ in range(random_source.randint(3, 7))
    )
    return " ".join(words) + "."


def made_up(random_source: random.Random) -> str:
    """A grammatical English sentence from random parts."""
    parts = _texts()["parts"]
    text = " ".join(random_source.choice(parts[kind]) for kind in ("subjects", "verbs", "objects", "tails"))
    return text[0].upper() + text[1:] + random_source.choice("..?!")


def any_english(random_source: random.Random, split: str = "train") -> str:
    """One English text of a split."""
    draw = random_source.random()
    if draw < 0.4:
        return random_source.choice(english(split))
    return made_up(random_source) if draw < 0.88 else pseudo_words(random_source)


def any_text(random_source: random.Random, language: str) -> str:
    """One text in `language` (a key of sentences.json)."""
    own = _texts()["languages"][language]
    if language in _OWN_SCRIPT or random_source.random() < 0.75:
        return random_source.choice(own)
    return pseudo_words(random_source)


def languages() -> list[str]:
    """The languages besides English."""
    return [language for language in _texts()["languages"] if language != "en"]
