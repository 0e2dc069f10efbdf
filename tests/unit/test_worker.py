"""The worker boundary with real child processes: good ones, dying ones, hung ones, mad ones."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from erlnet_blender.errors import Cancelled, ErlnetError, WorkerError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.worker import environment, pipes, protocol
from erlnet_blender.worker.client import WorkerClient
from erlnet_blender.worker.protocol import Message, MessageReader, ProtocolError

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "erlnet_blender" / "worker" / "__main__.py"

# A worker of the project's own server with handlers that behave as told.
SERVER = """
import ctypes, os, signal, sys, time
sys.path.insert(0, {root!r})
from erlnet_blender.errors import ErlnetError
from erlnet_blender.worker import server

def echo(header, arrays, progress, cancelled):
    print("a library prints to stdout")
    progress(0.5, "half")
    return {{**header, "pid": os.getpid()}}, arrays

def work(header, arrays, progress, cancelled):
    for step in range(1000):
        progress(step / 1000, "working")
        time.sleep(0.01)
    return {{}}, {{}}

def deaf(header, arrays, progress, cancelled):
    time.sleep(header["seconds"])
    return {{"late": True}}, {{}}

def die(header, arrays, progress, cancelled):
    if not os.path.exists(header["marker"]):
        open(header["marker"], "w").close()
        os.kill(os.getpid(), header["signal"])
    return {{"survived": True}}, {{}}

def always_die(header, arrays, progress, cancelled):
    print("last words", file=sys.stderr, flush=True)
    os._exit(header["status"]) if "status" in header else ctypes.string_at(0)

def blame(header, arrays, progress, cancelled):
    raise ErlnetError("Audio is empty", "voice.wav", "record again")

def crash(header, arrays, progress, cancelled):
    raise RuntimeError("broken")

def flood(header, arrays, progress, cancelled):
    for _ in range(header["megabytes"]):
        os.write(2, (b"x" * 99 + b"\\n") * 10000)
    return {{}}, {{}}

server.main({{f.__name__: f for f in (echo, work, deaf, die, always_die, blame, crash, flood)}})
"""


@pytest.fixture
def make_client(tmp_path):
    clients = []

    def make(source: str = SERVER, **options) -> WorkerClient:
        script = tmp_path / f"worker_{len(clients)}.py"
        source = textwrap.dedent(source)
        script.write_text(source.format(root=str(ROOT)) if source == SERVER else source)
        clients.append(WorkerClient(sys.executable, [sys.executable, str(script)], **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def wait_for(client, request_id, kind, seconds=10.0):
    deadline, seen = time.monotonic() + seconds, []
    while time.monotonic() < deadline:
        seen += client.poll(request_id)
        if any(event.kind == kind for event in seen):
            return seen
        client.wait(0.05)
    raise AssertionError(f"no {kind} in {seconds} s, only {[event.kind for event in seen]}")


# The protocol


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_messages_survive_any_cutting_of_the_stream(piece):
    arrays = {
        "image": np.arange(24, dtype=">f4").reshape(2, 3, 4)[:, ::-1],
        "fps": np.float64(23.976),
        "name": np.asarray("Kopf äöü"),
        "nothing": np.zeros((0, 5), np.float32),
        "mask": np.array([True, False]),
    }
    sent = [Message(3, "bake", {"audio": "/tmp/Ä b'c\".wav", "n": None}, arrays), Message(4, "hello")]
    data, reader, received = b"".join(map(protocol.encode, sent)), MessageReader(), []
    for start in range(0, len(data), piece):
        received += reader.feed(data[start : start + piece])
    assert [(m.id, m.kind, m.header) for m in received] == [(m.id, m.kind, m.header) for m in sent]
    for name, value in arrays.items():
        back = received[0].arrays[name]
        assert back.shape == np.shape(value)
        assert back.flags.writeable
        np.testing.assert_array_equal(back, value)


def test_a_face_track_survives_the_trip():
    track = FaceTrack(np.random.default_rng(0).normal(size=(4, 7)), 25, "default", source='{"a": 1}')
    (message,) = MessageReader().feed(protocol.encode(Message(1, "render", {}, track.arrays())))
    back = FaceTrack.from_arrays(message.arrays)
    assert (back.head_id, back.source, back.fps) == (track.head_id, track.source, 25)
    np.testing.assert_array_equal(back.expr, track.expr)


def test_objects_are_not_sent():
    with pytest.raises(ProtocolError):
        protocol.encode(Message(1, "x", {}, {"bad": np.array([object()])}))


def _with_header(text: str) -> bytes:
    return b"ERLN" + len(text).to_bytes(4, "little") + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"Traceback (most recent call last)",
        b"ERLN\xff\xff\xff\xff",
        _with_header("not json"),
        _with_header('{"version": 99, "id": 1, "kind": "x", "header": {}, "arrays": []}'),
        _with_header('{"version": 1, "id": 1, "kind": "x", "header": {}}'),
        _with_header('{"version":1,"id":1,"kind":"x","header":{},"arrays":[{"name":"a","shape":[2],"dtype":"|O"}]}'),
        _with_header('{"version":1,"id":1,"kind":"x","header":{},"arrays":[{"name":"a","shape":[-2],"dtype":"<f4"}]}'),
        _with_header(
            '{"version":1,"id":1,"kind":"x","header":{},"arrays":[{"name":"a","shape":[1e12],"dtype":"<f4"}]}'
        ),
    ],
)
def test_garbage_is_refused(data):
    with pytest.raises(ProtocolError):
        list(MessageReader().feed(data))


# The client with the project's server


def test_call_returns_arrays_and_reports_progress(make_client):
    heard = []
    image = np.random.default_rng(0).random((256, 256, 5), np.float32)
    header, arrays = make_client().call(
        "echo", {"a": 1}, {"image": image}, progress=lambda fraction, text: heard.append((fraction, text))
    )
    assert header["a"] == 1
    assert heard == [(0.5, "half")]
    np.testing.assert_array_equal(arrays["image"], image)


def test_errors_carry_cause_place_and_remedy(make_client):
    client = make_client()
    with pytest.raises(ErlnetError) as caught:
        client.call("blame", {})
    assert not isinstance(caught.value, WorkerError)
    assert str(caught.value) == "Audio is empty, voice.wav, record again"
    with pytest.raises(WorkerError, match="RuntimeError: broken"):
        client.call("crash", {})
    with pytest.raises(WorkerError, match="does not know"):
        client.call("teleport", {})
    assert any("in crash" in line for line in client.log), "the traceback is in the log"


def test_cancel_stops_the_work_and_keeps_the_worker(make_client):
    client = make_client()
    pid = client.call("echo", {})[0]["pid"]
    request_id = client.submit("work", {})
    wait_for(client, request_id, protocol.PROGRESS)
    start = time.monotonic()
    client.cancel(request_id)
    assert [event.kind for event in client.poll(request_id)][-1] == protocol.CANCELLED
    assert client.call("echo", {})[0]["pid"] == pid
    assert time.monotonic() - start < 1.0


def test_call_gives_up_when_told(make_client):
    with pytest.raises(Cancelled):
        make_client().call("work", {}, cancelled=iter([False, True]).__next__)


def test_cancelled_request_that_waits_in_the_queue_is_never_run(make_client, tmp_path):
    client = make_client()
    busy = client.submit("work", {})
    waiting = client.submit("die", {"marker": str(tmp_path / "ran"), "signal": 9})
    client.cancel(waiting)
    client.cancel(busy)
    client.call("echo", {})
    assert not (tmp_path / "ran").exists()


def test_late_answer_to_a_cancelled_request_is_dropped(make_client):
    client = make_client()
    late = client.submit("deaf", {"seconds": 0.5})
    time.sleep(0.1)
    client.cancel(late)
    assert [event.kind for event in client.poll(late)] == [protocol.CANCELLED]
    assert "late" not in client.call("echo", {})[0]
    assert client.poll(late) == []


def test_worker_deaf_to_cancel_is_stopped_and_the_next_request_served(make_client):
    client = make_client(grace_s=0.3)
    pid = client.call("echo", {})[0]["pid"]
    deaf = client.submit("deaf", {"seconds": 60})
    time.sleep(0.1)
    client.cancel(deaf)
    assert client.call("echo", {}, timeout_s=10)[0]["pid"] != pid
    assert not _is_alive(pid)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_killed_worker_is_restarted_once(make_client, tmp_path, number):
    header, _ = make_client().call("die", {"marker": str(tmp_path / "dead"), "signal": int(number)})
    assert header == {"survived": True}


@pytest.mark.parametrize(("request_header", "reason"), [({"status": 1}, "exit status 1"), ({}, "SIGSEGV")])
def test_worker_that_dies_again_is_an_error_and_the_client_lives(make_client, request_header, reason):
    client = make_client()
    with pytest.raises(WorkerError, match=reason):
        client.call("always_die", request_header)
    assert "last words" in client.log
    assert client.call("echo", {"a": 2})[0]["a"] == 2


def test_flood_on_stderr_neither_blocks_nor_fills_memory(make_client):
    client = make_client()
    client.call("flood", {"megabytes": 50}, timeout_s=20)
    assert 0 < len(client.log) <= 200


def test_deadline_is_kept(make_client):
    client = make_client(grace_s=0.2)
    with pytest.raises(WorkerError, match="too long"):
        client.call("deaf", {"seconds": 60}, timeout_s=0.5)
    assert client.call("echo", {"a": 3}, timeout_s=10)[0]["a"] == 3


def test_close_cancels_what_is_open_and_leaves_no_process(make_client):
    client = make_client()
    pid = client.call("echo", {})[0]["pid"]
    request_id = client.submit("work", {})
    client.close()
    assert [event.kind for event in client.poll(request_id)][-1] == protocol.CANCELLED
    assert not _is_alive(pid)


# The client with workers that do not know the protocol


def test_program_that_exits_at_once(make_client):
    with pytest.raises(WorkerError, match=r"exit status 1\): no torch here"):
        make_client("import sys; sys.exit('no torch here')").call("hello", {})


def test_program_that_writes_garbage(make_client):
    with pytest.raises(WorkerError, match="garbage"):
        make_client("while True: print('I am not a worker')").call("hello", {})


def test_program_that_hangs_and_ignores_sigterm(make_client):
    source = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: time.sleep(1)
    """
    start = time.monotonic()
    with pytest.raises(WorkerError, match="silent for 0.5 s"):
        make_client(source, silence_s=0.5).call("hello", {})
    assert time.monotonic() - start < 5


def test_program_that_cannot_be_started():
    with pytest.raises(WorkerError, match="cannot start"):
        WorkerClient(command=["/nonexistent/python"]).call("hello", {})


# The real worker


def test_real_worker_says_hello():
    client = WorkerClient(sys.executable)
    try:
        header, _ = client.call(protocol.HELLO, {}, timeout_s=60)
        assert header["python"] == sys.executable
        assert header["torch"]
    finally:
        client.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX processes")
def test_no_orphan_when_the_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from erlnet_blender.worker.client import WorkerClient\n"
        "client = WorkerClient(sys.executable)\n"
        "client.submit('hello', {})\n"
        "print(client._process._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker_pid = int(parent.stdout.readline())
    assert _is_alive(worker_pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while _is_alive(worker_pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(worker_pid)


def test_worker_ends_with_its_stdin():
    finished = subprocess.run([sys.executable, str(MAIN)], input=b"", capture_output=True, timeout=20)
    assert (finished.returncode, finished.stdout) == (0, b"")


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


# The search for a Python


def test_preferred_python_must_exist(tmp_path):
    with pytest.raises(ErlnetError, match="preferences"):
        environment.worker_python(tmp_path / "no_python")


def test_variable_wins_over_the_search(monkeypatch, tmp_path):
    chosen = tmp_path / "python"
    chosen.touch()
    monkeypatch.setenv(environment.VARIABLE, str(chosen))
    assert environment.worker_python() == chosen
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ErlnetError, match="ERLNET_PYTHON"):
        environment.worker_python()


def test_recorded_python_is_found_where_nothing_else_is(monkeypatch, tmp_path):
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    monkeypatch.setattr(environment, "config_folder", lambda: tmp_path / "config")
    monkeypatch.setattr(environment, "runs_torch_here", lambda: False)
    monkeypatch.setattr(environment, "PACKAGE_FOLDER", tmp_path / "extensions" / "erlnet_blender")
    with pytest.raises(ErlnetError, match="make setup"):
        environment.worker_python()
    chosen = tmp_path / "python"
    chosen.touch()
    environment.record_python(chosen)
    assert environment.worker_python() == chosen


# Windows has no non-blocking pipes; its way of reading is tested where it can be


def test_reading_with_a_thread_gives_every_byte_and_never_waits():
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys, time; sys.stdout.write('x' * 3000000); sys.stdout.flush(); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    try:
        reader = pipes._ThreadReader(child.stdout)
        received, deadline = 0, time.monotonic() + 10
        while received < 3_000_000 and time.monotonic() < deadline:
            received += len(reader.read())
            time.sleep(0.01)
        assert received == 3_000_000
        start = time.monotonic()
        assert reader.read() == b""
        assert time.monotonic() - start < 0.1
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
