"""Phone times that somebody wrote down: Praat's TextGrid and the usual ``.lab`` files, as phone classes.

A ``.lab`` file has a line "start end label" in seconds or, as HTK writes it, in units of 100 ns; or Festival's "end
colour label" after a line "#". Whatever has no times, ``.txt`` above all, is the text and nothing more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .....errors import ErlnetError
from ...articulation import PHONE_CLASSES
from .takes import TRANSCRIPTS

# IPA letters of each class; length, stress and tone fall away.
_LETTERS = {
    "m": "m", "b": "bɓʙ", "p": "p", "f": "fɸ", "v": "vʋβɱ", "th": "θð", "t": "tʈ", "d": "dɖɗ", "n": "nɳɲȵ",
    "l": "lɭɫʎɬɮ", "s": "sɕ", "z": "zʑ", "sh": "ʃʂ", "zh": "ʒʐ", "r": "ɹɻ", "tap": "rɾɽ", "k": "kqcxχç",
    "g": "ɡgɣɟɢʁʀɴ", "ng": "ŋ", "h": "hɦʔħʕ", "j": "jɥ", "w": "wʍɰ", "i": "iɪɨɯᵻ", "e": "eɛ", "a": "æaɐ", "A": "ɑʌɒ",
    "o": "oɔ", "u": "uʊʉ", "@": "əɤɘ", "er": "ɜɚɝ", "y": "yʏ", "oe": "øœɵ",
}  # fmt: skip
CLASS_OF_LETTER = {letter: name for name, letters in _LETTERS.items() for letter in letters}
# ARPAbet, as CMU's dictionary and the Montreal aligner's English models write it.
_CLASSES_OF_ARPABET = {
    "aa": "A", "ae": "a", "ah": "A", "ao": "o", "aw": "a u", "ax": "@", "axr": "er", "ay": "a i", "b": "b",
    "ch": "t sh", "d": "d", "dh": "th", "dx": "tap", "eh": "e", "el": "l", "em": "m", "en": "n", "er": "er",
    "ey": "e i", "f": "f", "g": "g", "hh": "h", "hv": "h", "ih": "i", "ix": "i", "iy": "i", "jh": "d zh", "k": "k",
    "l": "l", "m": "m", "n": "n", "ng": "ng", "nx": "n", "ow": "o u", "oy": "o i", "p": "p", "r": "r", "s": "s",
    "sh": "sh", "t": "t", "th": "th", "uh": "u", "uw": "u", "ux": "u", "v": "v", "w": "w", "y": "j", "z": "z",
    "zh": "zh",
}  # fmt: skip
_SILENCES = ("", "sil", "sp", "spn", "pau", "_", "#", "h#", "<sil>", "<eps>", "ssil", "noise", "br")
_FIRST_SHARE = 0.55
"""Where the second part of a diphthong or an affricate takes over."""
_HTK_SECONDS = 1e-7
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[.-])(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w\]])|(<exists>|<absent>)')
_PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "segments", "mau")
_MOST_BYTES = 8 << 20


@dataclass(frozen=True)
class Transcript:
    """What was said: the text, and (start_s, end_s, class name) of each phone; none where times are not known."""

    text: str
    phones: list[tuple[float, float, str]]


def read_transcript(path: Path) -> Transcript:
    """A transcript of any kind in `takes.TRANSCRIPTS`.

    Raises:
        ErlnetError: not text, damaged, or its times do not run forward.
    """
    if path.suffix not in TRANSCRIPTS or not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ErlnetError("Not a transcript", path, "choose a TextGrid, .lab or .txt file")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeError as error:
        raise ErlnetError(f"Transcript is not text ({error.reason})", path, "save it as UTF-8") from error
    if path.suffix.lower() == ".textgrid":
        return _of_textgrid(text, path)
    intervals = _label_lines(text) if path.suffix == ".lab" else None
    return Transcript("", _phones(intervals, path)) if intervals else Transcript(" ".join(text.split()), [])


def classes_of(label: str) -> list[str]:
    """The phone classes of a label in ARPAbet or IPA, one or two; none for silence and for what is not known."""
    plain = label.strip()
    if plain.lower() in _SILENCES:
        return []
    arpabet = _CLASSES_OF_ARPABET.get(re.sub(r"[0-2]$", "", plain).lower())
    # Single letters are IPA where they are the same in both or no ARPAbet; ARPAbet is written in capitals.
    if arpabet and (len(plain) > 1 or plain.isupper()):
        return arpabet.split()
    letters = [CLASS_OF_LETTER[letter] for letter in plain if letter in CLASS_OF_LETTER]
    return letters[:1] if len(letters) < 2 or letters[0] == letters[1] else letters[:2]


def classes_at(phones: list[tuple[float, float, str]], times_s: np.ndarray) -> np.ndarray:
    """(N,) int8 index into PHONE_CLASSES at the times; silence between the phones."""
    classes = np.zeros(len(times_s), np.int8)
    for start_s, end_s, name in phones:
        classes[(times_s >= start_s) & (times_s < end_s)] = PHONE_CLASSES.index(name)
    return classes


def _phones(intervals: list[tuple[float, float, str]], path: Path) -> list[tuple[float, float, str]]:
    phones: list[tuple[float, float, str]] = []
    last_s = 0.0
    for start_s, end_s, label in intervals:
        if not (0 <= start_s <= end_s < 1e6) or start_s < last_s - 1e-3:
            raise ErlnetError(f"Times of the transcript do not run forward at {start_s:g} s", path, "align it again")
        last_s = end_s
        names = classes_of(label)
        middle_s = start_s + _FIRST_SHARE * (end_s - start_s) if len(names) == 2 else end_s
        phones += [(start_s, middle_s, name) for name in names[:1]] + [(middle_s, end_s, name) for name in names[1:]]
    return phones


def _label_lines(text: str) -> list[tuple[float, float, str]] | None:
    """(start, end, label) of a .lab file; None where it has no times and so is text."""
    lines = [line.split(maxsplit=2) for line in text.splitlines() if line.strip()]
    marks = [index for index, words in enumerate(lines) if words == ["#"]]
    if marks:
        ends = [words for words in lines[marks[0] + 1 :] if len(words) >= 2]
        if not all(_is_number(words[0]) for words in ends):
            return None
        times_s = [0.0, *(float(words[0]) for words in ends)]
        return [(start, end, words[-1]) for start, end, words in zip(times_s, times_s[1:], ends, strict=False)]
    if not lines or not all(len(words) >= 2 and _is_number(words[0]) and _is_number(words[1]) for words in lines):
        return None
    whole = all(re.fullmatch(r"\d+", word) for words in lines for word in words[:2])
    unit_s = _HTK_SECONDS if whole and float(lines[-1][1]) > 1e4 else 1.0
    return [(float(words[0]) * unit_s, float(words[1]) * unit_s, (words[2:] or [""])[0].split()[0] if words[2:] else "")
            for words in lines]  # fmt: skip


def _is_number(word: str) -> bool:
    return re.fullmatch(r"\d+(\.\d*)?([eE][+-]?\d+)?", word) is not None


def _of_textgrid(text: str, path: Path) -> Transcript:
    """Praat's long and short form are the same row of strings and numbers."""
    damaged = ErlnetError("TextGrid is damaged", path, "save it again with Praat")
    tokens: list[str | float] = []
    for match in _TOKEN.finditer(text):
        string, number, flag = match.groups()
        tokens.append(float(number) if number is not None else (flag or (string or "").replace('""', '"')))
    if tokens[:2] != ["ooTextFile", "TextGrid"]:
        raise damaged
    tiers: dict[str, list[tuple[float, float, str]]] = {}
    try:
        count, place = int(tokens[5]), 6  # after both words, the times, and <exists>
        for _ in range(count):
            kind, name, size = tokens[place], str(tokens[place + 1]).lower(), int(tokens[place + 4])
            width = 3 if kind == "IntervalTier" else 2
            rows = tokens[place + 5 : place + 5 + width * size]
            place += 5 + width * size
            if len(rows) != width * size:
                raise damaged
            if width == 3:
                triples = zip(rows[::3], rows[1::3], rows[2::3], strict=True)
                tiers[name] = [(float(start), float(end), str(label)) for start, end, label in triples]
    except (ValueError, IndexError) as error:
        raise damaged from error
    words = next((tier for name, tier in tiers.items() if "word" in name or "text" in name), [])
    said = " ".join(label for _, _, label in words if label.strip())
    phones = next((tier for name, tier in tiers.items() if name.split(" - ")[-1] in _PHONE_TIERS), None)
    return Transcript(said, _phones(phones, path) if phones else [])
