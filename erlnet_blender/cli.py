"""``erlnet COMMAND``: the whole project without a window.

Exit status: 0 done; 2 the input or the call is at fault, with one line ``error: what, where, what to do``
on stderr; 1 our fault; 130 interrupted. Whatever is written is whole or not there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import arguments, conversion, corpus_import, figures, photo_fit, speech_options
from .console import progress, quiet_blender
from .errors import Cancelled, ErlnetError, WorkerError

if TYPE_CHECKING:
    import numpy as np

    from .face_track import FaceTrack

# Everything that is not in the standard library is imported where it is needed, so that `erlnet doctor` runs always.

DEMO_SIZE, FPS = 256, 25.0
DEMO_SPEECH = Path(__file__).resolve().parent / "assets" / "demo_speech.flac"


def main(words: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        options = parser().parse_args(words)
        options.run(options)
    except SystemExit as ended:  # argparse: --help, or a call that it has already explained
        return int(ended.code or 0)
    except (KeyboardInterrupt, Cancelled):
        print("interrupted", file=sys.stderr)
        return 130
    except WorkerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception:
        traceback.print_exc()
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"error: {message}, see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(prog="erlnet", description="Talking heads: speech to FLAME animation to neural images.")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    def command(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    demo = command("demo", _demo, "a recording in, DIR/demo.blend and DIR/demo.mp4 out")
    demo.add_argument("-o", "--output", type=Path, default=Path("build/demo"), metavar="DIR")
    demo.add_argument("--audio", type=Path, default=DEMO_SPEECH, metavar="FILE", help="instead of the shipped sentence")
    speech_options.add_arguments(demo)
    _add_picture_options(demo)

    bake = command("bake", _bake, "a recording to a track, or to a scene ready to edit")
    bake.add_argument("audio", type=Path, metavar="AUDIO")
    bake.add_argument("-o", "--output", type=Path, required=True, metavar="TRACK.npz|SCENE.blend")
    speech_options.add_arguments(bake)
    bake.add_argument("--head", type=Path, metavar="H", help="head model (.npz), default: the shipped one")
    bake.add_argument("--fps", type=arguments.positive, default=FPS, metavar="N")

    render = command("render", _render, "render a scene with the neural engine")
    render.add_argument("scene", type=Path, metavar="SCENE.blend")
    render.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4|DIR")
    every = (None, None)
    render.add_argument("--frames", type=arguments.frames, default=every, metavar="A-B", help="default: the scene's")
    _add_picture_options(render)

    corpus_import.add_arguments(
        command("corpus", corpus_import.import_corpus, "recordings with tracked faces to material for training")
    )

    train = command("train", _train, "train speech to face, or an avatar")
    train.add_argument("what", choices=("speech", "avatar"))
    train.add_argument("data", type=Path, metavar="CORPUS|DATASET")
    train.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.safetensors")
    train.add_argument("--steps", type=arguments.count, metavar="N")
    train.add_argument("--resume", action="store_true", help="go on from OUT's last saved state")
    train.add_argument("--start", type=Path, metavar="W", help="speech: fine-tune these weights instead of new ones")
    train.add_argument("--seed", type=int, help="speech: of the weights and of every random choice")
    train.add_argument(
        "--stages", type=arguments.names, metavar="A,B", help="speech: stages to train (default: all in turn)"
    )
    train.add_argument(
        "--splits", type=arguments.names, metavar="A,B", help="speech: splits of the corpus (default: train)"
    )
    train.add_argument("--contrast", type=float, metavar="X", help="speech: weight of the contrastive loss (0: none)")
    train.add_argument(
        "--by-codes", type=arguments.names, metavar="A,B", help="speech: of expression and head, what to make by codes"
    )
    avatar = train.add_argument_group("avatar")
    avatar.add_argument("--head", type=Path, metavar="H", help="head of the avatar (.npz), default: the shipped one")
    avatar.add_argument("--from-head", type=Path, metavar="H", help="FLAME head that the dataset was tracked with")
    avatar.add_argument("--torso", choices=("still", "tracked"), default="still", help="see the manual")
    avatar.add_argument("--refine-poses", action="store_true", help="let poses and FLAME parameters move, too")
    avatar.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")

    figures.add_arguments(command("evaluate", figures.evaluate, "the figures that the documentation quotes"))

    conversion.add_arguments(command("convert", conversion.convert, "a FLAME file to a head, a track to another head"))

    photo_fit.add_arguments(command("fit", photo_fit.fit, "a head like the one in a photograph"))

    doctor = command("doctor", _doctor, "what is installed, what is missing, what to do")
    doctor.add_argument("--json", action="store_true")
    doctor.add_argument("--setup", action="store_true", help="also let this user's Blender find this Python")
    return top


def _add_picture_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--size", type=arguments.size, metavar="WxH", help="in pixels, default: the scene's")
    command.add_argument("--avatar", type=Path, metavar="A", help="default: the scene's")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: the scene's")


def _demo(options: argparse.Namespace) -> None:
    movie, scene_file = options.output / "demo.mp4", options.output / "demo.blend"
    _check_file(options.audio, "recording", "choose a WAV or FLAC file")
    _check_writable(movie)
    _check_picture(options, movie)
    track = _bake_track(options, None, FPS)
    with _blender():
        _build_scene(options.audio, track, None, movie_name=movie.name)
        from .scene.movie import save_scene

        save_scene(scene_file)
        _render_open_scene(options, movie)
    print(f"{scene_file}\n{movie}")


def _bake(options: argparse.Namespace) -> None:
    _check_file(options.audio, "recording", "choose a WAV or FLAC file")
    if options.output.suffix not in (".npz", ".blend"):
        raise ErlnetError("The output is neither .npz nor .blend", options.output, "name it TRACK.npz or SCENE.blend")
    _check_writable(options.output)
    if options.output.suffix == ".npz":
        _ask_for_track(options, options.head, options.fps, options.output)
    else:
        track = _bake_track(options, options.head, options.fps)
        with _blender():
            _build_scene(options.audio, track, options.head, movie_name=f"{options.output.stem}.mp4")
            from .scene.movie import save_scene

            save_scene(options.output)
    print(options.output)


def _render(options: argparse.Namespace) -> None:
    _check_file(options.scene, "scene", "check the path")
    _check_writable(options.output / "0001.png" if options.output.suffix != ".mp4" else options.output)
    _check_picture(options, options.output)
    with _blender():
        from .scene.movie import open_scene

        open_scene(options.scene)
        _render_open_scene(options, options.output)
    print(options.output)


def _train(options: argparse.Namespace) -> None:
    if options.output.suffix != ".safetensors":
        raise ErlnetError("The output is not a .safetensors file", options.output, "name it OUT.safetensors")
    if not options.data.is_dir():
        raise ErlnetError("No such folder", options.data, "make it with `make speech` or `make avatar`")
    _check_writable(options.output)
    chosen = {"steps": options.steps} if options.steps else {}
    if options.what == "speech":
        from .neural.adf.training import train

        chosen |= {
            name: value
            for name in ("start", "seed", "stages", "splits", "contrast", "by_codes")
            if (value := getattr(options, name)) is not None
        }
        train(options.data, options.output, resume=options.resume, **chosen)
    else:
        _train_avatar(options, chosen)
    print(options.output)


def _train_avatar(options: argparse.Namespace, chosen: dict) -> None:
    """Train on a capture, or on a dataset of another project, which becomes one beside the output first."""
    from .formats.head_model import HeadModel
    from .neural.dbf_nerf.datasets import as_capture
    from .neural.dbf_nerf.training import train

    head = HeadModel.load(options.head) if options.head else None
    tracked_with = HeadModel.load(options.from_head) if options.from_head else None
    converted = options.output.with_suffix(".capture")
    with progress("converting") as shown:
        capture, assumed = as_capture(options.data, converted, head, tracked_with, options.torso, shown)
    for line in assumed:
        print(line)
    chosen |= {"refine_poses": options.refine_poses, "device": options.device, "seed": options.seed or 0}
    train(capture.folder, options.output, resume=options.resume, head=head, **chosen)


def _doctor(options: argparse.Namespace) -> None:
    from . import doctor

    findings = doctor.examine()
    if options.json:
        print(json.dumps(doctor.as_dict(findings), indent=1))
    else:
        print(doctor.as_text(findings))
    if options.setup:
        print(doctor.record_this_python(), file=sys.stderr if options.json else sys.stdout)
    if not doctor.is_healthy(findings):
        raise SystemExit(1)


def _bake_track(options: argparse.Namespace, head_path: Path | None, fps: float) -> FaceTrack:
    from .face_track import FaceTrack

    return FaceTrack.from_arrays(_ask_for_track(options, head_path, fps))


def _ask_for_track(
    options: argparse.Namespace, head_path: Path | None, fps: float, output: Path | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a track, or none of them if it is written to `output`."""
    from .formats.head_model import HeadModel
    from .worker import protocol
    from .worker.client import shared_client

    # A wrong head or style is said before the worker starts.
    if head_path is not None:
        HeadModel.load(head_path)
    if options.weights is not None:
        _check_file(options.weights, "speech model", "train one with `erlnet train speech`")
    header, arrays = speech_options.delivery_of(options).as_request()
    header |= {
        "audio": str(options.audio),
        "start_s": 0.0,
        "duration_s": None,
        "fps": fps,
        "head": str(head_path or ""),
        "weights": str(options.weights.absolute()) if options.weights is not None else "",
        "output": str(output.absolute()) if output is not None else "",
    }
    with progress("baking") as shown:
        told, track = shared_client().call(protocol.BAKE, header, arrays, progress=shown)
    for note in told["notes"]:
        print(f"note: {note}")
    return track


def _build_scene(audio: Path, track: FaceTrack, head_path: Path | None, movie_name: str) -> None:
    """A new scene with the head keyed from `track` and the recording in the sequencer."""
    import bpy

    from .scene.keyframes import write_track
    from .scene.stage import build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = build_stage(bpy.context, audio, fps=track.fps, size=(DEMO_SIZE, DEMO_SIZE), head_path=head_path)
    write_track(rig, track, start_frame=1, action_name=audio.stem)
    scene = bpy.context.scene
    scene.frame_set(scene.frame_start)
    scene.render.filepath = f"//{movie_name}"


def _render_open_scene(options: argparse.Namespace, output: Path) -> None:
    import bpy

    from .engine.engine import ErlnetRenderEngine
    from .engine.shot import take_shot
    from .scene import movie

    scene = bpy.context.scene
    scene.render.engine = ErlnetRenderEngine.bl_idname
    if options.size:
        movie.set_size(scene, *options.size)
    _choose_look(scene, options)
    movie.set_frames(scene, *getattr(options, "frames", (None, None)))
    scene.frame_set(scene.frame_start)
    take_shot(bpy.context.evaluated_depsgraph_get(), scene.camera, *movie.frame_size(scene))  # refuses now, not later
    render = movie.render_movie if output.suffix == ".mp4" else movie.render_pictures
    with progress("rendering") as shown, _stops_on_interrupt() as stopped:
        try:
            render(scene, output, lambda count, total: shown(count / total, f"frame {count} of {total}"))
        except RuntimeError as error:
            if stopped():
                raise Cancelled from error
            raise ErlnetRenderEngine.last_failure or WorkerError(str(error)) from error


def _choose_look(scene, options: argparse.Namespace) -> None:
    from .scene.rig import rigs_of

    if options.avatar is not None:
        for rig in rigs_of(scene):
            rig.erlnet.avatar = str(options.avatar.resolve())
    if options.device is not None:
        scene.erlnet.device = options.device


@contextlib.contextmanager
def _blender() -> Iterator[None]:
    """Blender with the add-on, silent; without it again at the end, since bpy hangs at exit otherwise."""
    with quiet_blender():
        try:
            import bpy  # noqa: F401
        except ImportError as error:
            raise ErlnetError(f"Blender's module cannot be loaded ({error})", "bpy", "run `make setup`") from error
        from . import addon

        addon.register()
        try:
            yield
        finally:
            addon.unregister()


@contextlib.contextmanager
def _stops_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C stops the engine at its next look, instead of an exception that Blender would swallow."""
    from .engine.connection import stop_requested

    previous = signal.signal(signal.SIGINT, lambda *_: stop_requested.set())
    try:
        yield stop_requested.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
        stop_requested.clear()


def _check_file(path: Path, what: str, remedy: str) -> None:
    if not path.is_file():
        raise ErlnetError(f"No such {what}", path, remedy)


def _check_writable(path: Path) -> None:
    """Fail before the work if `path` cannot be written after it; leaves nothing behind."""
    if path.is_dir():
        raise ErlnetError("Cannot write, a folder has this name", path, "choose another output name")
    folder = next((parent for parent in path.absolute().parents if os.path.lexists(parent)), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        what = f"Cannot write ({error.strerror or error})"
        raise ErlnetError(what, path, "choose a folder that you may write to") from error


def _check_picture(options: argparse.Namespace, output: Path) -> None:
    if options.avatar is not None:
        _check_file(options.avatar, "avatar", "choose a .safetensors file made by `erlnet train avatar`")
    if output.suffix == ".mp4" and options.size and any(side % 2 for side in options.size):
        width, height = options.size
        even = f"{width + width % 2}x{height + height % 2}"
        raise ErlnetError(f"A movie of {width}x{height} pixels has an odd side", output, f"use --size {even}")
    if options.device == "cuda":
        from .worker import protocol
        from .worker.client import shared_client

        if not shared_client().call(protocol.HELLO, {}, timeout_s=120)[0]["cuda"]:
            raise ErlnetError("No CUDA device that torch can use", "--device cuda", "use --device auto or cpu")


if __name__ == "__main__":
    sys.exit(main())
