"""An avatar on disk: one safetensors file with half-precision weights, the band, and how it was made."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...errors import ErlnetError
from ...formats.atomic import atomic_path
from ...formats.head_model import HeadModel, default_head_path
from .driving_mesh import DrivingMesh
from .field import DualBranchField, RadianceField
from .field_config import FieldConfig
from .rival_fields import CompositeField, SingleField

FORMAT = "erlnet-dbf-nerf-1"
_MAX_BYTES = 1 << 30
_FIELDS = {"fused": DualBranchField, "composite": CompositeField, "single": SingleField}


def default_avatar_path() -> Path:
    """Where the avatar that ships with the add-on lies."""
    return Path(__file__).resolve().parents[2] / "assets" / "default_avatar.safetensors"


@dataclass
class Avatar:
    """A trained head.

    Args:
        field: the network; band: (V, 2) reach outwards and inwards of each head vertex, metres.
        head_id: the head model that drives it; samples: samples a ray that it was trained with.
        made: command, seed, figures and whatever else tells how it was made.
    """

    field: RadianceField
    band: np.ndarray
    head_id: str
    samples: int = 8
    made: dict = dataclass_field(default_factory=dict)

    def save(self, path: str | os.PathLike) -> None:
        """Write weights in half precision, whole or not at all."""
        weights = {f"field.{name}": value.detach().cpu().half() for name, value in self.field.lasting_weights().items()}
        tensors = {**weights, "band": torch.as_tensor(self.band, dtype=torch.float16)}
        metadata = {
            "format": FORMAT,
            "head_id": self.head_id,
            "samples": str(self.samples),
            "field": json.dumps(self.field.config.to_dict()),
            "made": json.dumps(self.made, sort_keys=True),
        }
        with atomic_path(path) as temporary:
            save_file({name: value.contiguous() for name, value in tensors.items()}, str(temporary), metadata)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Avatar:
        """Read what `save` wrote.

        Raises:
            ErlnetError: the file is missing, damaged, or not an avatar.
        """
        path = Path(path)
        if not path.is_file():
            raise ErlnetError("No such avatar", path, "check the path")
        if path.stat().st_size > _MAX_BYTES:
            raise ErlnetError("The avatar is larger than 1 GB", path, "choose a file made by `erlnet train avatar`")
        try:
            with safe_open(str(path), "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            network = field_of(FieldConfig.from_dict(json.loads(metadata["field"])))
            band = tensors.pop("band").numpy()
            weights = {name.removeprefix("field."): value for name, value in tensors.items()}
            _check_finite(weights)
            network.load_state_dict(weights)
            made = json.loads(metadata.get("made", "{}"))
            return cls(network, band, metadata["head_id"], int(metadata["samples"]), made)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ErlnetError(
                f"Not a readable avatar ({reason})", path, "choose a file made by `erlnet train avatar`"
            ) from error

    def driving_mesh(self, head: HeadModel | None = None, device: str | torch.device = "cpu") -> DrivingMesh:
        """The mesh that drives it; the shipped head if none is given.

        Raises:
            ErlnetError: the head is another one than the avatar was trained on.
        """
        head = head or HeadModel.load(default_head_path())
        check_head(self.head_id, head.id)
        if len(head.v_template) != len(self.band):
            raise ErlnetError(
                f"The avatar was trained on {len(self.band)} vertices, head {head.id!r} has {len(head.v_template)}",
                "",
                "train the avatar again on this head",
            )
        return DrivingMesh(head, self.band, device)


def check_head(avatar_head: str, other: str) -> None:
    """Raise ErlnetError unless both are the same head model."""
    if avatar_head != other:
        raise ErlnetError(
            f"The avatar belongs to head {avatar_head!r}, the rig to {other!r}",
            "",
            "choose the avatar's own head or another avatar",
        )


def _check_finite(weights: dict[str, Tensor]) -> None:
    for name, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{name} holds NaN or infinity")


def field_of(config: FieldConfig) -> RadianceField:
    """An untrained network."""
    return _FIELDS[config.branches](config)


def new_field(mesh: DrivingMesh, **sizes: int | str | bool) -> RadianceField:
    """An untrained network that fits a driving mesh; `sizes` as in `FieldConfig`."""
    (head_low, head_side), (static_low, static_side) = mesh.head_box, mesh.static_box
    cubes = {
        "head_low": list(map(float, head_low)),
        "head_side": head_side,
        "static_low": list(map(float, static_low)),
        "static_side": static_side,
    }
    return field_of(FieldConfig.from_dict({"coefficients": mesh.coefficient_count, **cubes, **sizes}))
