"""What the tests of the networks share: the shipped head, avatar and sentence."""

from __future__ import annotations

import numpy as np
import pytest

from erlnet_blender.formats import user_folders
from erlnet_blender.formats.audio import read_audio
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.neural.dbf_nerf.avatar import default_avatar_path
from erlnet_blender.neural.dbf_nerf.renderer import AvatarRenderer

from .remeshed_head import remeshed


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(user_folders.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def other_head(head) -> HeadModel:
    """Another person's head of other triangles, without names, landmarks or UV; it has all of the default's bases."""
    return remeshed(head)


@pytest.fixture(scope="session")
def renderer() -> AvatarRenderer:
    return AvatarRenderer.load(default_avatar_path(), device="cpu")


@pytest.fixture(scope="session")
def demo() -> np.ndarray:
    """The demo's sentence at 16 kHz."""
    samples, rate_hz = read_audio(default_head_path().with_name("demo_speech.flac"))
    assert rate_hz == 16000
    return samples
