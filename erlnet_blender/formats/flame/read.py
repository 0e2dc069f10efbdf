"""A FLAME file and the companions that lie beside it, read into one head."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import ErlnetError
from ..head_model import HeadModel
from .budget import Budget, shown
from .companions import FLAME_VERTICES, read_eyelid, read_masks, read_uv
from .containers import open_regular, read_contents
from .landmarks import Landmarks
from .model import read_model

# The names that companions usually have; landmarks in the order in which they are believed.
LANDMARK_FILES = (
    "mediapipe_landmark_embedding.npz", "landmark_embedding_with_eyes.npy", "landmark_embedding.npy",
    "flame_static_embedding_68.pkl", "flame_static_embedding.pkl",
)  # fmt: skip
MASK_FILES = ("FLAME_masks.pkl", "FLAME_masks_triangles.npy")
UV_FILES = ("uv_coords.npz", "head_template.obj", "head_template_mesh.obj")
EYELID_FILES = ("l_eyelid.npy", "r_eyelid.npy")
READER_VERSION = 1  # one more whenever the same files give another head


@dataclass(frozen=True)
class Companions:
    """Files to use besides the model; those that are None or empty are looked for beside it.

    Args:
        eyelids: the folder of l_eyelid.npy and r_eyelid.npy.
        expressions: how many of the last components are expressions, where the file does not say.
    """

    landmarks: tuple[Path, ...] = ()
    masks: Path | None = None
    uv: Path | None = None
    eyelids: Path | None = None
    expressions: int | None = None


def read_flame(path: Path, companions: Companions | None = None) -> tuple[HeadModel, list[str]]:
    """Read a FLAME model of any kind, and whatever companions are there.

    Returns:
        the head, and notes for the user: what was found, and what was left out and why.

    Raises:
        ErlnetError: the model, or a companion that was asked for, cannot be used; one that merely lies
            beside the model and cannot be used becomes a note.
    """
    companions = companions or Companions()
    notes: list[str] = []
    with opened(path) as (file, budget):
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        file.seek(0)
        contents = read_contents(file, budget)
        head = read_model(contents, digest.hexdigest(), budget, path.name, companions.expressions)
        landmarks = Landmarks()
        for key in ("lmk_embeddings_mediapipe", "lmk_embeddings"):  # FLAME_with_eye.pt brings its own
            if isinstance(contents, dict) and isinstance(contents.get(key), dict):
                landmarks.add(contents[key], head.v_template, head.faces, budget)
    _add_landmarks(head, landmarks, path, companions, notes)
    _add_masks(head, path, companions, notes)
    _add_uv(head, path, companions, notes)
    _add_eyelids(head, path, companions, notes)
    return head, notes


def _hash_into(digest: hashlib._Hash, path: Path) -> None:
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)


def fingerprint(path: Path) -> str:
    """Hexadecimal sha256 of the model and of the companions beside it: equal where `read_flame` would read the same.

    Raises:
        ErlnetError: the model cannot be opened.
    """
    digest = hashlib.sha256(f"{READER_VERSION} {path.name}".encode())
    _hash_into(digest, path)
    for companion in _beside(path, LANDMARK_FILES + MASK_FILES + UV_FILES + EYELID_FILES):
        digest.update(f"\0{companion.name}\0".encode())
        with contextlib.suppress(ErlnetError):  # it will be left out
            _hash_into(digest, companion)
    return digest.hexdigest()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, Budget]]:
    """A file and a budget for it; what no check foresaw is still one sentence and no traceback."""
    with open_regular(path) as file:
        try:
            yield file, Budget(str(path))
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, RecursionError) as error:
            what = f"Refused, it is damaged ({type(error).__name__}: {shown(error)})"
            raise ErlnetError(what, path, "download it again") from error


def _beside(path: Path, names: tuple[str, ...]) -> list[Path]:
    return [path.parent / name for name in names if (path.parent / name).is_file()]


def _use(chosen: list[Path], found: list[Path], notes: list[str], use: Callable[[BinaryIO, Budget], str]) -> None:
    """Use the chosen files, or else those found; only the chosen ones must be good."""
    for file_path in chosen or found:
        try:
            with opened(file_path) as (file, budget):
                notes.append(f"{file_path.name}: {use(file, budget)}")
        except ErlnetError as error:
            if chosen:
                raise
            notes.append(f"{file_path.name} was left out: {error.what}")


def _add_landmarks(head: HeadModel, landmarks: Landmarks, path: Path, companions: Companions, notes: list[str]) -> None:
    def use(file: BinaryIO, budget: Budget) -> str:
        before = landmarks.count
        contents = read_contents(file, budget)
        landmarks.add(contents, head.v_template, head.faces, budget)
        return f"{landmarks.count - before} landmarks"

    _use(list(companions.landmarks), _beside(path, LANDMARK_FILES), notes, use)
    if landmarks.count:
        head.landmark_faces, head.landmark_bary = landmarks.faces, landmarks.bary


def _add_masks(head: HeadModel, path: Path, companions: Companions, notes: list[str]) -> None:
    def use(file: BinaryIO, budget: Budget) -> str:
        contents: Any = read_contents(file, budget)
        head.regions |= read_masks(contents, head.faces, len(head.v_template), budget)
        return f"{len(head.regions)} regions"

    _use([companions.masks] if companions.masks else [], _beside(path, MASK_FILES)[:1], notes, use)
    eyes = head.regions.get("eyeballs", np.zeros(FLAME_VERTICES, bool))
    if eyes.any():
        head.regions["skin"] = ~(eyes | head.regions.get("teeth", np.zeros_like(eyes)))


def _add_uv(head: HeadModel, path: Path, companions: Companions, notes: list[str]) -> None:
    def use(file: BinaryIO, budget: Budget) -> str:
        head.uv, head.uv_faces = (np.ascontiguousarray(part) for part in read_uv(file, head.faces, budget))
        head.uv = head.uv.astype(np.float32)
        return f"{len(head.uv)} texture coordinates"

    _use([companions.uv] if companions.uv else [], _beside(path, UV_FILES)[:1], notes, use)


def _add_eyelids(head: HeadModel, path: Path, companions: Companions, notes: list[str]) -> None:
    folder = companions.eyelids or path.parent
    files = [folder / name for name in EYELID_FILES]
    lids: list[np.ndarray] = []

    def use(file: BinaryIO, budget: Budget) -> str:
        lids.append(read_eyelid(file, len(head.v_template), budget))
        return "an eyelid"

    if companions.eyelids or all(file.is_file() for file in files):
        _use(files if companions.eyelids else [], files, notes, use)
    if len(lids) == 2:
        head.eyelids = np.stack(lids).astype(np.float32)
