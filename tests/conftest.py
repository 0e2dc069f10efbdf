"""What all tests share: a worker that one module started does not live on in the next."""

from __future__ import annotations

import pytest

from erlnet_blender.worker.client import close_shared_client


@pytest.fixture(scope="module", autouse=True)
def _stop_the_worker():
    yield
    close_shared_client()
