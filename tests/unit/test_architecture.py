"""The rules of the house that a program can check; ARCHITECTURE.md gives the reasons."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "erlnet_blender"
FILES = sorted(path for path in PACKAGE.rglob("*.py"))
SOURCES = FILES + sorted((ROOT / "studio").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))

# Which rooms a room may import from. The rim (scene, engine, operators, panels) knows bpy.
MAY_IMPORT = {
    "errors": set(),
    "camera": set(),
    "head_presets": {"errors"},
    "face_track": {"errors", "formats"},
    "delivery": {"errors"},
    "formats": {"errors", "formats"},
    "neural": {"errors", "formats", "face_track", "camera", "delivery", "neural"},
    "worker.handlers": {"errors", "formats", "face_track", "camera", "delivery", "neural", "worker"},
    "worker": {"errors", "formats", "face_track", "camera", "worker"},
    "scene": {
        "errors",
        "formats",
        "face_track",
        "camera",
        "delivery",
        "worker",
        "scene",
        "preferences",
        "properties",
        "head_presets",
    },
}
BPY_ROOMS = {"scene", "engine", "operators", "panels", "addon", "preferences", "properties", "cli"}
BLENDER_SIDE = BPY_ROOMS - {"cli"}
HEAVY = {"torch", "scipy", "soundfile", "safetensors", "mediapipe", "cv2"}


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """(absolute top-level names, package-relative module names) that a file imports, anywhere in it."""
    absolute, relative = set(), set()
    here = ["erlnet_blender", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            absolute |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            absolute.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1][1:] + (node.module or "").split(".") * bool(node.module)
            targets = [base] if base else [[alias.name] for alias in node.names]
            relative |= {".".join(target) for target in targets}
    return absolute, relative


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_dependencies_point_one_way(path):
    name = module_name(path)
    absolute, relative = imports(path)
    assert "erlnet_blender" not in absolute, "an extension runs under another name: import relatively"
    room = name.split(".")[0]
    if room not in BPY_ROOMS:
        assert not absolute & {"bpy", "mathutils", "gpu", "aud", "bmesh", "bpy_extras"}, "only the rim knows Blender"
    if room in BLENDER_SIDE or name in ("worker.client", "worker.protocol"):
        assert not absolute & HEAVY, "Blender's process computes nothing"
        assert not any(target.split(".")[0] == "neural" for target in relative)
    allowed = MAY_IMPORT.get(name, MAY_IMPORT.get(room))
    if allowed is not None:
        assert {target.split(".")[0] for target in relative} <= allowed
    if room not in ("addon", "operators", "panels", "engine", "cli") and name:
        assert not {target.split(".")[0] for target in relative} & {"operators", "panels", "engine"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_readable(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 420, "usually two rooms in one"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 80, f"{node.name} is too long"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_from_outside_is_run(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "marshal", "shelve", "dill"}
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert not (isinstance(node.func, ast.Name) and called in ("eval", "exec"))
            settings = {keyword.arg: keyword.value for keyword in node.keywords}
            for argument, bad in (("allow_pickle", True), ("shell", True), ("weights_only", False)):
                value = settings.get(argument)
                assert not (isinstance(value, ast.Constant) and value.value is bad)
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, "a bare except hides faults"


def test_init_is_light():
    init = PACKAGE / "__init__.py"
    assert len(init.read_text().splitlines()) <= 30
    code = "import sys, erlnet_blender; print(sorted({'bpy','torch','numpy','scipy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_neural_leaves_blender_alone():
    code = (
        "import sys, pkgutil, importlib, erlnet_blender.neural as n\n"
        "for m in pkgutil.walk_packages(n.__path__, n.__name__ + '.'): importlib.import_module(m.name)\n"
        "print('bpy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "False"


def test_committed_files_speak_of_the_project_alone():
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".json", ""} and path.is_file() and path.stat().st_size < 1e6:
            text = path.read_text(errors="ignore")
            needle = "/" + "work/"
            assert needle not in text, f"{name} names a path of one machine"
