"""The shipped weights and the state of an unfinished training: safetensors files with JSON metadata, no pickles."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ...errors import ErlnetError
from ...formats.atomic import atomic_path
from .articulation import ARTICULATION, EXPRESSION, PHONE_CLASSES
from .network import SpeechToFaceNetwork
from .style.factors import NAMES

FORMAT, VERSION = "erlnet-adf", 1
_REMEDY = "use the weights that ship with this version, or train them again"


def default_weights_path() -> Path:
    """Where the weights that ship with the add-on lie."""
    return Path(__file__).resolve().parents[2] / "assets" / "adf.safetensors"


def layout() -> dict:
    """What the numbers in a weights file mean; a file of another layout is refused."""
    return {
        "articulation": list(ARTICULATION), "expression": list(EXPRESSION), "phones": list(PHONE_CLASSES),
        "factors": list(NAMES),
    }  # fmt: skip


def save_tensors(path: str | Path, tensors: dict[str, torch.Tensor], metadata: dict) -> None:
    """Write tensors and JSON metadata at once."""
    with atomic_path(path) as temporary:
        save_file(
            {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()},
            temporary,
            {"erlnet": json.dumps(metadata)},
        )


def load_tensors(path: str | Path, what: str) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and metadata of a file that `save_tensors` wrote.

    Raises:
        ErlnetError: missing, not safetensors, damaged, or without our metadata.
    """
    path = Path(path)
    if not path.is_file():
        raise ErlnetError(f"No such {what}", path, _REMEDY)
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})["erlnet"])
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ErlnetError(f"Not a readable {what} ({error})", path, _REMEDY) from error


def save_weights(path: str | Path, network: SpeechToFaceNetwork, weights: dict[str, torch.Tensor], notes: dict) -> None:
    """Write weights (float16, which halves the file and changes no figure) for `load_network`."""
    metadata = {"format": FORMAT, "version": VERSION, "layout": layout(), "config": network.config, **notes}
    save_tensors(path, {name: tensor.half() for name, tensor in weights.items()}, metadata)


def load_network(path: str | Path | None = None) -> tuple[SpeechToFaceNetwork, dict]:
    """The network in evaluation mode, and its metadata.

    Raises:
        ErlnetError: the file is not one of ours, of another version or layout, or its tensors do not fit.
    """
    path = Path(path) if path is not None else default_weights_path()
    tensors, metadata = load_tensors(path, "speech model")
    if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
        raise ErlnetError(f"Not a speech model of version {VERSION}", path, _REMEDY)
    if metadata.get("layout") != layout():
        raise ErlnetError("Speech model has other channels than this version", path, _REMEDY)
    try:
        network = SpeechToFaceNetwork(**metadata["config"])
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ErlnetError("Speech model does not fit the network", path, _REMEDY) from error
    if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
        raise ErlnetError("Speech model holds NaN or infinity", path, _REMEDY)
    return network.eval(), metadata
