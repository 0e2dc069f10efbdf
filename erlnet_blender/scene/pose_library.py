"""The poses that the add-on brings: visemes and emotions as numbers (no bpy).

The visemes are the fifteen of MPEG-4's face animation, under the short names that lip-sync tools share. The emotions
are Ekman's six and neutral, put together from the action units that EMFACS gives for them (Ekman and Friesen 1983).
The numbers were set by eye on the default head.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VISEME, EMOTION = "viseme", "emotion"


@dataclass(frozen=True)
class FacePose:
    """A face by name.

    Args:
        name: short and in lower case, as lip-sync tools write it.
        label: for menus and for the asset browser.
        description: the sounds, or what is seen.
        kind: VISEME or EMOTION.
        jaw_deg: how far the jaw is open.
        eyelid: how far both eyes are shut, 0..1.
        values: expression to value; a name without `_L` or `_R` stands for both sides where the head has sides.
    """

    name: str
    label: str
    description: str
    kind: str
    jaw_deg: float = 0.0
    eyelid: float = 0.0
    values: dict[str, float] = field(default_factory=dict)


def _viseme(name: str, description: str, jaw_deg: float = 0.0, **values: float) -> FacePose:
    return FacePose(name.lower(), name, description, VISEME, jaw_deg, 0.0, values)


def _emotion(label: str, description: str, jaw_deg: float = 0.0, eyelid: float = 0.0, **values: float) -> FacePose:
    return FacePose(label.lower(), label, description, EMOTION, jaw_deg, eyelid, values)


# `mouth_close` at 1 seals the lips against a jaw of 10 degrees, so a seal needs a tenth of it a degree.
VISEMES = (
    _viseme("sil", "Silence, the mouth at rest"),
    _viseme("PP", "P, B, M: the lips sealed", 3.0, mouth_close=0.3, lips_press=0.4),
    _viseme("FF", "F, V: the lower lip under the upper teeth", 2.0, f_tuck=0.9, upper_lip_raise=0.2),
    _viseme("TH", "TH: the tongue between the teeth", 4.5, tongue_out=0.6, lower_lip_depress=0.2),
    _viseme("DD", "T, D: the tongue behind the upper teeth", 4.0, tongue_up=0.8, stretch=0.15, lower_lip_depress=0.2),
    _viseme("kk", "K, G: the back of the tongue raised", 5.5, tongue_back=0.8, lower_lip_depress=0.15),
    _viseme("CH", "CH, J, SH: the lips pushed forward, teeth close", 1.5, funnel=0.75, pucker=0.25,
            lower_lip_depress=0.25, upper_lip_raise=0.25),
    _viseme("SS", "S, Z: teeth close, the lips drawn wide", 1.0, stretch=0.35, lower_lip_depress=0.4,
            upper_lip_raise=0.1, tongue_up=0.4),
    _viseme("nn", "N, L: the tip of the tongue up", 5.0, tongue_up=0.9, stretch=0.1, lower_lip_depress=0.1),
    _viseme("RR", "R: the lips a little round, the tongue back", 3.5, funnel=0.45, pucker=0.25, tongue_back=0.5),
    _viseme("aa", "A as in father: the jaw wide open", 12.0, stretch=0.1, lower_lip_depress=0.15),
    _viseme("E", "E as in bed", 7.0, stretch=0.35, lower_lip_depress=0.15, upper_lip_raise=0.1),
    _viseme("ih", "I as in see and sit: the corners wide", 3.0, stretch=0.55, lower_lip_depress=0.2,
            upper_lip_raise=0.1),
    _viseme("oh", "O as in go: round and open", 7.0, pucker=0.45, funnel=0.4),
    _viseme("ou", "U as in you: round and narrow", 2.5, pucker=0.85, funnel=0.1),
)  # fmt: skip
EMOTIONS = (
    _emotion("Neutral", "The face at rest"),
    _emotion("Happy", "Cheeks and corners of the mouth raised (AU 6, 12)", 0.0, 0.05, smile=0.85, cheek_raise=0.6,
             squint=0.25, upper_lip_raise=0.15, dimple=0.15),
    _emotion("Sad", "Inner brows up, corners of the mouth down (AU 1, 4, 15, 17)", 0.0, 0.2, brow_inner_up=0.85,
             brow_down=0.2, brow_together=0.35, frown=0.75, chin_raise=0.4, squint=0.1),
    _emotion("Angry", "Brows down, lids and lips tight (AU 4, 5, 7, 23)", 0.0, 0.0, brow_down=0.95, brow_together=0.4,
             squint=0.4, eye_wide=0.35, nose_wrinkle=0.35, lips_press=0.4, lip_tighten=0.5, frown=0.3),
    _emotion("Surprised", "Brows high, eyes wide, the jaw dropped (AU 1, 2, 5, 26)", 9.0, 0.0, brow_inner_up=0.8,
             brow_outer_up=0.9, eye_wide=0.9, funnel=0.15),
    _emotion("Fearful", "Brows up and together, eyes wide, lips stretched (AU 1, 2, 4, 5, 20, 26)", 3.5, 0.0,
             brow_inner_up=1.0, brow_outer_up=0.3, brow_down=0.3, brow_together=0.4, eye_wide=0.85, stretch=0.6,
             lower_lip_depress=0.3, neck_tighten=0.4),
    _emotion("Disgusted", "Nose wrinkled, upper lip raised (AU 9, 10, 15, 16)", 0.0, 0.05, nose_wrinkle=0.95,
             upper_lip_raise=0.55, brow_down=0.4, squint=0.4, cheek_raise=0.2, frown=0.4, chin_raise=0.2),
)  # fmt: skip
POSES = {pose.name: pose for pose in (*VISEMES, *EMOTIONS)}


def expressions_in(poses: tuple[FacePose, ...], names: list[str]) -> list[str]:
    """The expressions of a head that any of the poses sets, in the head's order."""
    used = {side for pose in poses for name in pose.values for side in _sides(name)}
    return [name for name in names if name in used]


def pose_values(pose: FacePose, names: list[str], leave_mouth: bool = False) -> dict[str, float]:
    """Every expression of a head that the pose sets; those that only its fellows use are set to 0.

    A viseme sets what any viseme uses, so that it takes the place of another one; an emotion sets the whole face.

    Args:
        names: the head's expression names; what the head lacks is left out.
        leave_mouth: leave out what visemes set, so that speech goes on below an emotion.
    """
    mouth = expressions_in(VISEMES, names)
    touched = mouth if pose.kind == VISEME else expressions_in((*VISEMES, *EMOTIONS), names)
    wanted = {side: value for name, value in pose.values.items() for side in _sides(name)}
    return {name: wanted.get(name, 0.0) for name in touched if not (leave_mouth and name in mouth)}


def missing_expressions(pose: FacePose, names: list[str]) -> list[str]:
    """What the pose asks for and the head has not."""
    return [name for name in pose.values if not any(side in names for side in _sides(name))]


def moves_anything(pose: FacePose, names: list[str], has_eyelids: bool) -> bool:
    """Whether anything of the pose is left on a head with these expressions; a pose at rest always is."""
    if not pose.values:
        return True
    return bool(
        pose.jaw_deg or (has_eyelids and pose.eyelid) or len(missing_expressions(pose, names)) < len(pose.values)
    )


def menu_items(poses: tuple[FacePose, ...] = (*VISEMES, *EMOTIONS)) -> list[tuple[str, str, str]]:
    """(name, label, tooltip) of each pose, as Blender's lists want them."""
    return [(pose.name, pose.label, pose.description) for pose in poses]


def _sides(name: str) -> tuple[str, ...]:
    return (name, f"{name}_L", f"{name}_R")
