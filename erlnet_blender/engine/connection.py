"""The worker of this Blender, run by the Python that the preferences name."""

from __future__ import annotations

from ..worker.client import WorkerClient, shared_client


def worker() -> WorkerClient:
    """The shared worker.

    Raises:
        ErlnetError: there is no Python for the worker.
    """
    return shared_client()
