"""The worker of this Blender, run by the Python that the preferences name."""

from __future__ import annotations

import threading

from ..preferences import preferred_python
from ..worker.client import WorkerClient, shared_client

# Set by whoever drives Blender without a window to stop a render: there, Blender has no Escape key.
stop_requested = threading.Event()


def worker() -> WorkerClient:
    """The shared worker.

    Raises:
        ErlnetError: there is no Python for the worker.
    """
    return shared_client(preferred_python())
