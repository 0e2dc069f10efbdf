"""What is installed, what is missing, what to do: ``erlnet doctor``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from .worker.environment import PACKAGE_FOLDER, record_python

OK, MISSING, OPTIONAL = "ok", "missing", "optional"
SETUP = "run `make setup` in the project's folder"
ASSETS = "restore it with `git checkout -- erlnet_blender/assets`, or rebuild it with `make assets`"

# module: (distribution, what it is for, needed)
MODULES = {
    "numpy": ("numpy", "everything", True),
    "torch": ("torch", "the worker", True),
    "safetensors": ("safetensors", "weights", True),
    "soundfile": ("soundfile", "reading recordings", True),
    "scipy": ("scipy", "training and the speech corpus", True),
    "bpy": ("bpy", "the demo and headless rendering", True),
    "av": ("av", "judging movies", False),
    "mediapipe": ("mediapipe", "fitting photographs", False),
    "tinycudann": ("tinycudann", "faster rendering on CUDA; plain torch does it too", False),
}
SHIPPED = {
    "default_head.npz": "the default head",
    "default_hair.npz": "its hair",
    "bob_hair.npz": "the second preset's hair",
    "adf.safetensors": "speech to face",
    "default_avatar.safetensors": "the default avatar",
    "demo_speech.flac": "the demo's sentence",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        state: ``ok``, ``missing`` (something will not work) or ``optional`` (missing, not needed).
        remedy: what to do; empty if nothing.
    """

    name: str
    state: str
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at Python, its modules, the GPU and the assets."""
    return [_python(), *(_module(name) for name in MODULES), *_gpu(), *_assets()]


def is_healthy(findings: list[Finding]) -> bool:
    """Whether everything that is needed is there."""
    return all(finding.state != MISSING for finding in findings)


def as_text(findings: list[Finding]) -> str:
    """A line for each finding, and what to do below those that need it."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:9}{finding.name:28}{finding.detail}")
        if finding.remedy and finding.state != OK:
            lines.append(f"{'':37}{finding.remedy}")
    lines.append("everything that is needed is here" if is_healthy(findings) else "something is missing, see above")
    return "\n".join(lines)


def as_dict(findings: list[Finding]) -> dict:
    """The findings as plain values, for JSON."""
    return {"healthy": is_healthy(findings), "findings": [asdict(finding) for finding in findings]}


def record_this_python() -> str:
    """Let this user's Blenders find the running Python; the file that says so, or why there is none."""
    try:
        return f"recorded for Blender in {record_python(sys.executable)}"
    except OSError as error:
        return f"not recorded for Blender ({error.strerror or error}); choose {sys.executable} in the preferences"


def _python() -> Finding:
    detail = f"{platform.python_version()} {sys.executable} ({platform.platform(terse=True)})"
    if sys.version_info[:2] != (3, 11):
        return Finding("Python", MISSING, detail, "use Python 3.11, which bpy 4.5 is built for")
    return Finding("Python", OK, detail)


def _module(name: str) -> Finding:
    distribution, purpose, needed = MODULES[name]
    if importlib.util.find_spec(name) is None:
        return Finding(name, MISSING if needed else OPTIONAL, f"not installed ({purpose})", SETUP if needed else "")
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        version = "of unknown version"
    if name == "soundfile":
        return _soundfile(version)
    return Finding(name, OK, version)


def _soundfile(version: str) -> Finding:
    try:
        import soundfile
    except OSError as error:  # the wheel of another system has no libsndfile inside
        return Finding("soundfile", MISSING, f"{version}, but libsndfile cannot be loaded ({error})", SETUP)
    return Finding("soundfile", OK, f"{version}, libsndfile {soundfile.__libsndfile_version__}")


def _gpu() -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    if not torch.cuda.is_available():
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
        return [Finding("GPU", OPTIONAL, f"no CUDA device; torch is built for {built}, rendering runs on the CPU")]
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return [Finding("GPU", OK, f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB")]


def _assets() -> list[Finding]:
    findings = []
    for name, purpose in SHIPPED.items():
        path: Path = PACKAGE_FOLDER / "assets" / name
        if not path.is_file():
            findings.append(Finding(name, MISSING, f"{purpose} is not in {path.parent}", ASSETS))
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        findings.append(Finding(name, OK, f"{path.stat().st_size / 1e6:.2f} MB, sha256 {digest[:16]}"))
    return findings
