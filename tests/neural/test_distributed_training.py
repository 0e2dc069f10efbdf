"""Several processes train one avatar."""

import os
import socket
import subprocess
import sys

import numpy as np

from erlnet_blender.neural.dbf_nerf.avatar import Avatar
from erlnet_blender.neural.dbf_nerf.driving_mesh import DrivingMesh

from .rough_head import rough_head
from .test_dbf_nerf import write_capture

_TRAIN = """
import sys
from erlnet_blender.neural.dbf_nerf.training import train
from tests.neural.rough_head import rough_head
sizes = {"levels": 4, "head_log2_table": 10, "static_log2_table": 10, "head_finest": 32, "static_finest": 32}
options = {"rays": 128, "samples": 4, "steps": 12, "threads": 1, "sizes": sizes, "head": rough_head()}
avatar = train(sys.argv[1], sys.argv[2], report=lambda line: None, **options)
print(sum(float(value.double().abs().sum()) for value in avatar.field.state_dict().values()))
"""


def test_two_processes_end_with_the_same_network(tmp_path):
    """Each draws rays of its own, so only averaged gradients keep both networks alike."""
    head = rough_head()
    write_capture(tmp_path / "capture", head, DrivingMesh(head, np.full((len(head.v_template), 2), 0.004)), 3, 32)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    crew = []
    for rank in range(2):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        environment = {**os.environ, **place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        command = [sys.executable, "-c", _TRAIN, str(tmp_path / "capture"), str(tmp_path / "avatar.safetensors")]
        crew.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=120)[0].strip() for process in crew]
    assert [process.returncode for process in crew] == [0, 0]
    assert said[0] == said[1]
    assert Avatar.load(tmp_path / "avatar.safetensors").made["training"]["steps"] == 12
