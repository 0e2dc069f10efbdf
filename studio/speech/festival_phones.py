"""The phone sets of Festival's voices in IPA; what is not listed keeps its name where that is an IPA letter already."""

from __future__ import annotations

from .phones import ipa_of_arpabet

_ITALIAN = {
    "E": "ɛ", "O": "ɔ", "S": "ʃ", "Z": "ʒ", "tS": "tʃ", "dZ": "dʒ", "J": "ɲ", "ng": "ŋ", "nf": "ɱ", "L": "ʎ",
    "g": "ɡ", "#": "",
}  # fmt: skip
# ř is a trill with friction: it ends as one. `_` parts two vowels.
_CZECH = {
    "e": "ɛ", "c": "ts", "c~": "tʃ", "ch": "x", "d~": "ɟ", "dz~": "dʒ", "h": "ɦ", "n*": "ŋ", "n~": "ɲ", "r~": "rʒ",
    "r~*": "rʃ", "s~": "ʃ", "t~": "c", "z~": "ʒ", "g": "ɡ", "_": "ʔ", "#": "",
}  # fmt: skip
_FINNISH = {
    "a": "ɑ", "@": "æ", "7": "ø", "&": "ə", "T": "θ", "D": "ð", "S": "ʃ", "Z": "ʒ", "N": "ŋ", "L": "l", "v": "ʋ",
    "g": "ɡ", "#": "", "##": "",
}  # fmt: skip
_RUSSIAN = {
    "ii": "i", "yy": "ɨ", "uu": "u", "ee": "e", "oo": "o", "aa": "a", "a": "ɐ", "i": "ɪ", "y": "ɨ", "u": "ʊ",
    "ae": "ə", "ay": "ə", "ur": "ʊ", "c": "ts", "ch": "tɕ", "sh": "ʂ", "sch": "ɕ", "zh": "ʐ", "h": "x", "hh": "x",
    "g": "ɡ", "gg": "ɡ", "pau": "",
}  # fmt: skip
_CATALAN = {
    "ax": "ə", "E": "ɛ", "O": "ɔ", "J": "ɲ", "L": "ʎ", "r": "ɾ", "rr": "r", "S": "ʃ", "Z": "ʒ", "g": "ɡ", "pau": "",
    "_": "", "#": "",
}  # fmt: skip
_INDIC = {
    "a": "ə", "aa": "a", "ih": "ɪ", "iy": "i", "uh": "ʊ", "uw": "u", "eh": "e", "ee": "e", "ay": "ɛɪ", "oh": "o",
    "oo": "o", "aw": "ɔʊ", "g": "ɡ", "ch": "tʃ", "T": "ʈ", "D": "ɖ", "N": "ɳ", "th": "t", "dh": "d", "y": "j",
    "v": "ʋ", "L": "ɭ", "R": "ɽ", "sh": "ʃ", "j": "dʒ", "ksh": "kʃ", "sri": "ʃɪ", "kh": "k", "gh": "ɡ", "td": "ʈ",
    "tth": "t", "ddh": "d", "bh": "b", "zh": "ʒ", "@": "ɑ", "pau": "",
}  # fmt: skip
_TABLES = {
    "italian": _ITALIAN, "czech": _CZECH, "finnish": _FINNISH, "russian": _RUSSIAN, "catalan": _CATALAN,
    "indic": _INDIC,
}  # fmt: skip
_STOPS_CATALAN_B = ("", "m", "n", "ɲ", "p", "t", "k", "b", "d", "ɡ")


def ipa(names: list[str], phone_set: str) -> list[str]:
    """IPA of the phones of an utterance in order; empty for pauses."""
    if phone_set == "us":
        return [ipa_of_arpabet(name) for name in names]
    letters = [_letter(name, phone_set) for name in names]
    if phone_set == "catalan":
        # Only after a pause, a nasal or a stop is b one itself; elsewhere the lips come near and do not close.
        pairs = zip(["", *letters], letters, strict=False)
        return ["β" if b == "b" and before not in _STOPS_CATALAN_B else b for before, b in pairs]
    return letters


def _letter(name: str, phone_set: str) -> str:
    plain = name.rstrip(":1")  # length, stress
    table = _TABLES[phone_set]
    if plain in table:
        return table[plain]
    if phone_set == "russian" and len(plain) == 2 and plain[0] == plain[1]:
        return plain[0]  # a soft consonant
    return plain
