"""Phone symbols: every synthesiser's names become single IPA letters, diphthongs and affricates are cut in two."""

from __future__ import annotations

import re
import unicodedata

from .articulatory_targets import CONSONANTS, VOWELS
from .spoken import Phone

SILENCE = "_"
BILABIAL = frozenset("pbmɓʙ")
LABIODENTAL = frozenset("fvɱʋɸβ")
VOICELESS_STOPS = frozenset("ptkqcʈ")
_SHORTEST_S = 0.004

# CMU's ARPAbet as flite prints it. Diphthongs and affricates have two letters.
_IPA_OF_ARPABET = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ", "b": "b",
    "ch": "tʃ", "d": "d", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "l", "em": "m", "en": "n", "er": "ɝ",
    "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ", "k": "k",
    "l": "l", "m": "m", "n": "n", "nx": "n", "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ",
    "s": "s", "sh": "ʃ", "t": "t", "th": "θ", "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j",
    "z": "z", "zh": "ʒ",
}  # fmt: skip


def ipa_of_arpabet(name: str) -> str:
    """IPA of one ARPAbet phone; empty for pauses and breaths."""
    return _IPA_OF_ARPABET.get(name, "")


def known_letters(ipa: str) -> str:
    """The letters of an IPA string that the coarticulation rules know; length, tone and secondary marks fall away.

    espeak-ng writes a change of language as "(en)", which is no sound, and Danish with the epsilon of Greek.
    """
    ipa = re.sub(r"\([^)]*\)", "", ipa).replace("\N{GREEK SMALL LETTER EPSILON}", "ɛ")
    return "".join(c for c in unicodedata.normalize("NFD", ipa) if c in VOWELS or c in CONSONANTS)


def atomic_phones(segments: list[tuple[float, float, str]]) -> list[Phone]:
    """Phones of one letter each from (start_s, end_s, IPA) segments.

    A diphthong is cut at 58 % of its length and an affricate at 45 %, where the second target takes over.
    What has no known letter is silence.
    """
    phones: list[Phone] = []
    for start_s, end_s, ipa in segments:
        if end_s - start_s < _SHORTEST_S:
            continue
        letters = known_letters(ipa)
        if not letters:
            phones.append(Phone(start_s, end_s, SILENCE))
        elif len(letters) == 1 or letters[0] == letters[1]:
            phones.append(Phone(start_s, end_s, letters[0]))
        else:
            cut_s = start_s + (0.45 if letters[0] in CONSONANTS else 0.58) * (end_s - start_s)
            phones += [Phone(start_s, cut_s, letters[0]), Phone(cut_s, end_s, letters[1])]
    return phones


def closure_interval(phone: Phone) -> tuple[float, float]:
    """(start_s, end_s) during which the lips of a bilabial are sealed: the burst of p and b is left out."""
    release_s = {"p": 0.025, "b": 0.012}.get(phone.symbol, 0.0)
    return phone.start_s, max(phone.start_s + 0.03, phone.end_s - release_s) if release_s else phone.end_s
