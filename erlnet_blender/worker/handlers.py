"""What the worker does for each request; torch and the networks are imported when first needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..camera import Camera
from ..delivery import Delivery
from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..formats.head_model import HeadModel, default_head_path
from . import protocol

Arrays = dict[str, np.ndarray]


def hello(header: dict, arrays: Arrays, progress: Callable, cancelled: Callable) -> tuple[dict, Arrays]:
    """Who answers: ``{"python", "version", "torch", "cuda"}``; `torch` is empty where it is missing."""
    try:
        import torch
    except ImportError:
        return {"python": sys.executable, "version": sys.version.split()[0], "torch": "", "cuda": False}, {}
    cuda = torch.cuda.is_available()
    return {
        "python": sys.executable,
        "version": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": cuda,
        "device": torch.cuda.get_device_name(0) if cuda else "",
    }, {}


def bake(header: dict, arrays: Arrays, progress: Callable, cancelled: Callable) -> tuple[dict, Arrays]:
    """A recording to a FaceTrack.

    Header: ``audio`` (path), ``start_s``, ``duration_s`` (or null), ``fps``, ``head`` and ``weights`` (paths, empty
    for what ships), ``output`` (path of an .npz to write, of any length; empty for an answer); and with the arrays
    what `Delivery.as_request` says.

    Returns:
        ``frames`` and ``notes`` (what was odd, one sentence each); unless it was written `FaceTrack.arrays` of the
        track, and with it ``phone_starts_s`` (P,) from where the sound begins and ``phones`` (P,), of names.
    """
    from ..formats.audio import AudioStream
    from ..neural.adf.articulation import PHONE_CLASSES
    from ..neural.adf.features import SAMPLE_RATE_HZ
    from ..neural.adf.sound import Sound

    delivery = Delivery.from_request(header, arrays)
    progress(0.0, "reading")
    stream = AudioStream(header["audio"], header.get("start_s", 0.0), header.get("duration_s"), SAMPLE_RATE_HZ)
    sound = Sound(stream)
    progress(0.02, "listening")
    _use_all_cores()
    performance = _speech_to_face(header.get("weights", "")).perform(
        sound,
        header["fps"],
        _head(header.get("head", "")),
        delivery,
        lambda fraction, *text: progress(0.02 + 0.98 * fraction, *text),
        cancelled,
    )
    answer: Arrays = {}
    if header.get("output"):
        performance.save(header["output"])
    else:
        answer = performance.track().arrays()
        begins_s, classes = performance.phones
        answer |= {"phone_starts_s": begins_s, "phones": np.array(PHONE_CLASSES)[classes]}
    return {"frames": performance.frames, "notes": [*stream.notes, *performance.notes]}, answer


def render(header: dict, arrays: Arrays, progress: Callable, cancelled: Callable) -> tuple[dict, Arrays]:
    """One posed head to an image.

    Header: ``camera`` (`Camera.to_dict`), ``avatar`` and ``head`` (paths, empty for the defaults), ``device``
    (auto, cpu, cuda), ``samples`` (per ray, or null). Arrays: `FaceTrack.arrays` of one frame.

    Returns:
        ``rgba`` (height, width, 4) scene-linear premultiplied and ``depth`` (height, width) metres, top row first.
    """
    progress(0.0, "loading the avatar")
    _use_all_cores()
    renderer = _renderer(header.get("avatar", ""), header.get("head", ""), header.get("device") or "auto")
    progress(0.05, "rendering")
    image = renderer.render(
        FaceTrack.from_arrays(arrays),
        Camera.from_dict(header["camera"]),
        samples=header.get("samples"),
        cancelled=cancelled,
    )
    rgba, depth = (np.ascontiguousarray(image[name], np.float32) for name in ("rgba", "depth"))
    if not np.isfinite(rgba).all():
        raise ErlnetError("The renderer gave NaN", header.get("avatar", ""), "use device CPU or another avatar")
    return {}, {"rgba": rgba, "depth": depth}


def fit_photo(header: dict, arrays: Arrays, progress: Callable, cancelled: Callable) -> tuple[dict, Arrays]:
    """A photograph to the identity of a head.

    Header: ``photo`` and ``head`` (paths, the latter empty for the default).

    Returns:
        ``residual`` (share of the inter-ocular distance) and ``notes``, and `FaceTrack.arrays` of one frame, whose
        `shape` is the identity.
    """
    from ..formats.picture import read_picture
    from ..neural.tracking.landmarks import largest_face
    from ..neural.tracking.photo import fit_photo

    progress(0.0, "reading")
    image = read_picture(header["photo"])
    progress(0.1, "looking for a face")
    face = largest_face(image, header["photo"])
    progress(0.3, "fitting the head")
    _use_all_cores()
    fitted = fit_photo(face, _head(header.get("head", "")), cancelled, Path(header["photo"]).name)
    return {"residual": fitted.residual, "notes": [face.note] if face.note else []}, fitted.track.arrays()


def _use_all_cores() -> None:
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(os.cpu_count() or 1)


def _stamp(path: Path) -> int:
    """Changes when the file does, so that caches by it are never stale; 0 for a missing file."""
    return path.stat().st_mtime_ns if path.is_file() else 0


def _head(path: str) -> HeadModel:
    chosen = Path(path) if path else default_head_path()
    return _cached_head(chosen, _stamp(chosen))


@lru_cache(maxsize=2)
def _cached_head(path: Path, stamp: int) -> HeadModel:
    return HeadModel.load(path)


def _speech_to_face(weights: str):
    path = Path(weights) if weights else None
    return _cached_speech_to_face(path, _stamp(path) if path is not None else 0)


@lru_cache(maxsize=1)
def _cached_speech_to_face(path: Path | None, stamp: int):
    from ..neural.adf.predictor import SpeechToFace

    return SpeechToFace.load(path)


def _renderer(avatar: str, head: str, device: str):
    from ..neural.dbf_nerf.avatar import default_avatar_path

    chosen = Path(avatar) if avatar else default_avatar_path()
    head_path = Path(head) if head else default_head_path()
    return _cached_renderer(chosen, _stamp(chosen), head_path, _stamp(head_path), device)


@lru_cache(maxsize=2)
def _cached_renderer(avatar: Path, avatar_stamp: int, head: Path, head_stamp: int, device: str):
    from ..neural.dbf_nerf.renderer import AvatarRenderer

    return AvatarRenderer.load(avatar, head=_cached_head(head, head_stamp), device=device)


HANDLERS = {protocol.HELLO: hello, protocol.BAKE: bake, protocol.RENDER: render, protocol.FIT_PHOTO: fit_photo}
