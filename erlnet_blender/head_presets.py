"""Ready-made people: shape coefficients of the default head, and how skin, hair and eyes look.

A look's colours are scene-linear Rec.709; they belong to materials, which `scene.materials` builds from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import ErlnetError

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """How a head is coloured and what hair it wears.

    Args:
        skin: base colour; `skin_deep` is what shines through where blood or pigment gathers.
        freckles, beard, age_lines: how much there is of each, 0..1.
        hair: style, the stem of a file in assets/ ("" is none); `hair_dark` and `hair_light` are the ends of the
            strands' range, `grey` the share of grey ones, 0..1.
        iris: colour near the pupil and towards the rim.
    """

    name: str
    skin: Colour = (0.610, 0.372, 0.270)
    skin_deep: Colour = (0.560, 0.205, 0.150)
    lips: Colour = (0.500, 0.180, 0.155)
    freckles: float = 0.3
    beard: float = 0.0
    age_lines: float = 0.0
    hair: str = ""
    hair_dark: Colour = (0.018, 0.009, 0.005)
    hair_light: Colour = (0.058, 0.028, 0.014)
    grey: float = 0.0
    brow: Colour = (0.045, 0.024, 0.015)
    iris: tuple[Colour, Colour] = ((0.155, 0.085, 0.038), (0.070, 0.037, 0.017))
    cloth: Colour = (0.045, 0.070, 0.110)


@dataclass(frozen=True)
class HeadPreset:
    """A person: the default head model with this shape and this look.

    Args:
        name: key in PRESETS; `label` and `description` are what people read.
        shape: standard deviations by name of the shape component; those not named are 0.
        look: key in LOOKS.
    """

    name: str
    label: str
    description: str
    shape: dict[str, float] = field(default_factory=dict)
    look: str = "default"

    def coefficients(self, names: list[str]) -> list[float]:
        """Identity coefficients in the order of the head's component names (its meta's `shape_names`).

        Raises:
            ErlnetError: the head lacks a component.
        """
        missing = [name for name in self.shape if name not in names]
        if missing:
            raise ErlnetError(f"The head has no shape component {missing[0]}", self.label, "use the default head")
        return [float(self.shape.get(name, 0.0)) for name in names]


LOOKS = {
    look.name: look
    for look in (
        Look("default", beard=0.8, hair="default_hair"),
        Look(
            "second",
            skin=(0.415, 0.225, 0.138),
            skin_deep=(0.320, 0.100, 0.066),
            lips=(0.340, 0.088, 0.080),
            freckles=0.15,
            age_lines=0.8,
            hair="bob_hair",
            hair_dark=(0.012, 0.008, 0.006),
            hair_light=(0.050, 0.032, 0.022),
            grey=0.35,
            brow=(0.050, 0.034, 0.026),
            iris=((0.090, 0.050, 0.024), (0.030, 0.017, 0.009)),
            cloth=(0.190, 0.040, 0.045),
        ),
    )
}

_RUTH = {"sex": -1.9, "age": 1.3, "lip_fullness": 1.2, "nose_width": 0.8, "nose_bridge": -0.8, "nose_length": -0.3,
         "face_length": -0.5, "jaw_width": -0.4, "head_width": -0.2, "cheekbones": 0.8, "cheek_fullness": 0.6,
         "eye_size": 0.8, "neck_width": -0.8}  # fmt: skip

PRESETS = {
    preset.name: preset
    for preset in (
        HeadPreset("default", "Noah", "A man of about thirty: the head as it is built"),
        HeadPreset("second", "Ruth", "A woman in her fifties, brown skin, greying bob", _RUTH, "second"),
    )
}
