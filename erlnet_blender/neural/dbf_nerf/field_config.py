"""What a radiance field is made of, as the avatar's file keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

BRANCHES = ("fused", "composite", "single")
# A file is not believed beyond these sizes.
_LARGEST = {
    "coefficients": 1024,
    "levels": 32,
    "head_log2_table": 24,
    "static_log2_table": 24,
    "base": 512,
    "head_finest": 8192,
    "static_finest": 8192,
    "hidden": 512,
    "code": 256,
    "features": 256,
    "mirror_waves": 16,
    "appearance": 256,
}


@dataclass(frozen=True)
class FieldConfig:
    """Sizes of the network, the cubes that its grids fill, and how its branches come together.

    `mirror_waves` octaves of the mirrored view direction go into the colour of the eyes, for their highlights.
    `branches`: "fused" per sample; "composite", a picture of each branch, one over the other; or a "single" one.
    `deform`: whether samples of the static branch move with the neck's pose; else they stay in the rig's frame.
    `appearance`: length of a code for light and exposure that each training frame has of its own; 0: none.
    """

    coefficients: int
    head_low: tuple[float, float, float]
    head_side: float
    static_low: tuple[float, float, float]
    static_side: float
    levels: int = 8
    head_log2_table: int = 16
    static_log2_table: int = 15
    base: int = 16
    head_finest: int = 256
    static_finest: int = 256
    hidden: int = 64
    code: int = 16
    features: int = 15
    mirror_waves: int = 0
    branches: str = "fused"
    deform: bool = True
    appearance: int = 0

    def to_dict(self) -> dict:
        """Plain numbers and words, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> FieldConfig:
        """The inverse of `to_dict`; what older files lack is as the avatars of their time were.

        Raises:
            ValueError: a size that no avatar has; TypeError: a name that no avatar has.
        """
        config = cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})
        for name, most in _LARGEST.items():
            value = getattr(config, name)
            if not isinstance(value, int) or not 0 <= value <= most:
                raise ValueError(f"{name} is {value!r}, not a whole number up to {most}")
        if config.branches not in BRANCHES:
            raise ValueError(f"branches is {config.branches!r}, none of {', '.join(BRANCHES)}")
        if not isinstance(config.deform, bool):
            raise ValueError(f"deform is {config.deform!r}, neither true nor false")
        numbers = [*config.head_low, config.head_side, *config.static_low, config.static_side]
        if not np.isfinite(np.asarray(numbers, float)).all() or min(config.head_side, config.static_side) <= 0:
            raise ValueError("the cubes of its grids have no size")
        return config
