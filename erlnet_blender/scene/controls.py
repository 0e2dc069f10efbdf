"""The animator's controls of a rig: which custom properties there are and what they move (no bpy).

Every control is a custom property of the pose bone `face`. Raw controls are FLAME's own coefficients;
semantic controls are what an animator asks for, and are added on top of the raw ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..formats.head_model import HeadModel

FACE_BONE = "face"
LOOK_AT = "look_at"
EYELIDS = ("eyelid_left", "eyelid_right")
EYELID_KEYS = ("Eyelid_L", "Eyelid_R")
# The angle of the jaw, in radians, when the control `open` is 1.
OPEN_JAW_RAD = 0.30


@dataclass(frozen=True)
class Control:
    """A custom property of the face bone.

    Args:
        name: of the property.
        label: for panels.
        description: the tooltip.
        soft_min, soft_max: the range of the slider; the hard range is wider.
        keys: the shape keys whose value it adds to.
    """

    name: str
    label: str
    description: str
    soft_min: float
    soft_max: float
    keys: tuple[str, ...]
    hard_limit: float = 10.0


# name: (label, what it does, named expressions of the head that it raises by its own value)
SEMANTIC = {
    "close": ("Close", "seals the lips while the jaw is open", ("mouth_close",)),
    "press": ("Press", "presses the lips together, as for M, B and P", ("lips_press",)),
    "wide": ("Wide", "stretches the corners of the mouth, as for EE", ("stretch_L", "stretch_R")),
    "pucker": ("Pucker", "rounds and narrows the lips, as for OO", ("pucker",)),
    "funnel": ("Funnel", "pushes the open lips forward, as for SH", ("funnel",)),
    "f_v": ("F / V", "tucks the lower lip under the upper teeth", ("f_tuck",)),
    "smile": ("Smile", "raises the corners of the mouth", ("smile_L", "smile_R")),
    "frown": ("Frown", "lowers the corners of the mouth", ("frown_L", "frown_R")),
    "sneer": ("Sneer", "wrinkles the nose", ("nose_wrinkle_L", "nose_wrinkle_R")),
    "cheek_puff": ("Puff", "blows up the cheeks", ("puff_L", "puff_R")),
    "brow_up": ("Brow Up", "raises the brows", ("brow_inner_up", "brow_outer_up_L", "brow_outer_up_R")),
    "brow_down": ("Brow Low", "lowers the brows", ("brow_down_L", "brow_down_R")),
    "brow_together": ("Brow Knit", "draws the brows together", ("brow_together",)),
    "squint": ("Squint", "narrows the eyes", ("squint_L", "squint_R")),
    "eye_wide": ("Eye Wide", "opens the eyes wide", ("eye_wide_L", "eye_wide_R")),
    "lids_up": ("Lids Up", "lets the lids follow eyes that look up", ("lid_follow_up_L", "lid_follow_up_R")),
    "lids_down": ("Lids Low", "lets the lids follow eyes that look down", ("lid_follow_down_L", "lid_follow_down_R")),
    "cheek_suck": ("Suck", "draws the cheeks in", ("cheek_suck_L", "cheek_suck_R")),
    "nostril_flare": ("Flare", "widens the nostrils", ("nostril_flare_L", "nostril_flare_R")),
    "sharp_pull": ("Sharp Pull", "lifts the corners of the mouth sharply", ("sharp_lip_pull_L", "sharp_lip_pull_R")),
    "lip_shrug": ("Shrug", "pushes the upper lip up", ("upper_lip_shrug",)),
    "lip_tighten": ("Tighten", "narrows and tightens the lips", ("lip_tighten",)),
    "lips_part": ("Part", "parts the lips, the jaw stays", ("lips_part",)),
    "lip_blow": ("Blow", "blows air through the lips", ("lip_blow",)),
    "chin_raise": ("Chin", "raises the chin and the lower lip", ("chin_raise",)),
    "neck_tighten": ("Neck", "tightens the neck", ("neck_tighten",)),
    "swallow": ("Swallow", "lifts the larynx", ("swallow",)),
}
# Where on the face an expression acts, by what its name begins with; what is not listed acts on the mouth.
_REGIONS = {
    "Brows": ("brow",),
    "Eyes": ("squint", "eye", "lid"),
    "Nose and cheeks": ("nose", "nostril", "cheek", "puff"),
    "Mouth": (),
    "Jaw and chin": ("jaw", "chin"),
    "Tongue": ("tongue",),
    "Neck": ("neck", "swallow"),
}
REGIONS = tuple(_REGIONS)
# Expressions that go both ways.
SIGNED = ("mouth_shift", "jaw_side", "tongue_side")


def expression_key(index: int) -> str:
    """Name of the shape key, and of the raw control, of expression `index` (from 0)."""
    return f"Exp{index + 1:03d}"


def region_of(expression: str) -> str:
    """Which of `REGIONS` a named expression acts on."""
    return next((region for region, starts in _REGIONS.items() if expression.startswith(starts)), "Mouth")


def raw_controls(head: HeadModel) -> list[Control]:
    """One control for each expression coefficient of the head, in its order."""
    named = bool(head.meta.get("expression_names"))
    controls = []
    for index, name in enumerate(head.expression_names):
        key = expression_key(index)
        if not named:
            low, high = -3.0, 3.0
        else:
            low, high = (-1.0 if name in SIGNED else 0.0), 1.0
        label = name.replace("_", " ").capitalize() if named else key
        label = f"{label[:-1]}{label[-1].upper()}" if label.endswith((" l", " r")) else label
        controls.append(Control(key, label, f"FLAME expression {index + 1}: {name}", low, high, (key,)))
    return controls


def eyelid_controls(head: HeadModel) -> list[Control]:
    """The two eyelids; none if the head has none."""
    if head.eyelids is None:
        return []
    controls = []
    for name, key, side in zip(EYELIDS, EYELID_KEYS, ("left", "right"), strict=True):
        description = f"Closure of the head's own {side} eye, 0 open, 1 shut"
        controls.append(Control(name, f"Eyelid {side.capitalize()}", description, 0.0, 1.0, (key,)))
    return controls


def semantic_controls(head: HeadModel) -> list[Control]:
    """The controls that this head's named expressions allow; `open` turns the jaw and is always there."""
    controls = [Control("open", "Open", "Opens the jaw, on top of the jaw bone's own rotation", 0.0, 1.0, (), 1.0)]
    names = head.expression_names
    for name, (label, effect, expressions) in SEMANTIC.items():
        keys = tuple(expression_key(names.index(expression)) for expression in expressions if expression in names)
        if keys:
            description = f"{effect[0].upper()}{effect[1:]} (added to the raw expressions)"
            controls.append(Control(name, label, description, 0.0, 1.0, keys))
    if head.eyelids is not None:
        controls.append(Control("blink", "Blink", "Shuts both eyes (added to the eyelids)", 0.0, 1.0, EYELID_KEYS))
    effect = "How far the eyes follow the bone look_at, 0 is as they are keyed"
    return [*controls, Control(LOOK_AT, "Look At", effect, 0.0, 1.0, (), 1.0)]


def all_controls(head: HeadModel) -> list[Control]:
    """Every control: semantic, eyelids, raw."""
    return semantic_controls(head) + eyelid_controls(head) + raw_controls(head)
