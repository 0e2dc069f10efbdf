"""What the mouth aims at in each speech sound: the table behind the coarticulation model.

Values are 0..1 in the channels of `erlnet_blender.neural.adf.articulation`: jaw opening, closure of the lips, pucker,
funnel, stretch, lower lip under the teeth, upper lip raised, lower lip drawn down, tongue up, out, back. They follow
the usual viseme descriptions (Cohen & Massaro 1993; Edwards et al. 2016, JALI) and were set by hand, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VOWELS: dict[str, dict[str, float]] = {
    "i": {"jaw": 0.12, "stretch": 0.6, "lower_lip_depress": 0.15},
    "ɪ": {"jaw": 0.18, "stretch": 0.4},
    "e": {"jaw": 0.28, "stretch": 0.5},
    "ɛ": {"jaw": 0.42, "stretch": 0.3},
    "æ": {"jaw": 0.6, "stretch": 0.35, "upper_lip_raise": 0.15},
    "a": {"jaw": 0.7, "stretch": 0.15},
    "ɑ": {"jaw": 0.8},
    "ʌ": {"jaw": 0.5},
    "ɐ": {"jaw": 0.5},
    "ə": {"jaw": 0.27},
    "ɜ": {"jaw": 0.32, "funnel": 0.25},
    "ɔ": {"jaw": 0.5, "pucker": 0.35, "funnel": 0.4},
    "o": {"jaw": 0.36, "pucker": 0.6, "funnel": 0.3},
    "ʊ": {"jaw": 0.22, "pucker": 0.5, "funnel": 0.1},
    "u": {"jaw": 0.13, "pucker": 0.9, "funnel": 0.1},
    "y": {"jaw": 0.12, "pucker": 0.85},
    "ʏ": {"jaw": 0.2, "pucker": 0.6},
    "ø": {"jaw": 0.28, "pucker": 0.65, "funnel": 0.2},
    "œ": {"jaw": 0.42, "pucker": 0.4, "funnel": 0.35},
    "ɯ": {"jaw": 0.15, "stretch": 0.3},
    "ɨ": {"jaw": 0.15, "stretch": 0.35},
    "ɒ": {"jaw": 0.65, "funnel": 0.3, "pucker": 0.15},
    "ᵻ": {"jaw": 0.18, "stretch": 0.35},
    "ɤ": {"jaw": 0.3},
    "ɘ": {"jaw": 0.25},
    "ɵ": {"jaw": 0.3, "pucker": 0.5},
    "ʉ": {"jaw": 0.15, "pucker": 0.75},
    "ɚ": {"jaw": 0.27, "funnel": 0.35, "pucker": 0.15},
    "ɝ": {"jaw": 0.3, "funnel": 0.4, "pucker": 0.15},
}


@dataclass(frozen=True)
class Consonant:
    """Targets of a consonant and how strongly it holds the jaw and the lips against its neighbours (dominance)."""

    jaw_dominance: float
    lip_dominance: float
    targets: dict[str, float] = field(default_factory=dict)


_GROUPS: list[tuple[str, Consonant]] = [
    ("pbmɓʙ", Consonant(0.6, 0.12, {"closure": 1.0, "jaw": 0.08})),
    ("fvɱʋɸβ", Consonant(0.8, 0.25, {"lip_tuck": 1.0, "jaw": 0.1, "upper_lip_raise": 0.15})),
    ("θð", Consonant(0.6, 0.2, {"tongue_out": 1.0, "jaw": 0.17})),
    ("tdnɗʈɖɳȵ", Consonant(0.45, 0.1, {"tongue_up": 1.0, "jaw": 0.14})),
    ("lɭɫɬɮ", Consonant(0.4, 0.12, {"tongue_up": 1.0, "jaw": 0.24})),
    ("szɕʑ", Consonant(1.2, 0.5, {"stretch": 0.35, "lower_lip_depress": 0.45, "jaw": 0.04, "tongue_up": 0.5})),
    (
        "ʃʒʂʐ",
        Consonant(
            1.2,
            1.0,
            {"funnel": 0.75, "pucker": 0.3, "lower_lip_depress": 0.35, "upper_lip_raise": 0.3, "jaw": 0.06},
        ),
    ),
    ("ɹɻ", Consonant(0.5, 0.7, {"funnel": 0.5, "pucker": 0.3, "jaw": 0.2})),
    ("rɾɽ", Consonant(0.4, 0.12, {"tongue_up": 0.9, "jaw": 0.2})),
    ("kɡgŋxɣcɟçɲʎ", Consonant(0.25, 0.1, {"tongue_back": 1.0, "jaw": 0.25})),
    ("qχʁħʕʀɴɢ", Consonant(0.25, 0.1, {"tongue_back": 0.7, "jaw": 0.32})),
    ("hɦʔ", Consonant(0.08, 0.05, {"jaw": 0.3})),
    ("j", Consonant(0.6, 0.6, {"stretch": 0.5, "jaw": 0.13})),
    ("wʍɰ", Consonant(0.7, 1.1, {"pucker": 0.95, "jaw": 0.12})),
    ("ɥ", Consonant(0.6, 1.0, {"pucker": 0.85, "jaw": 0.12})),
]

CONSONANTS: dict[str, Consonant] = {letter: consonant for letters, consonant in _GROUPS for letter in letters}
