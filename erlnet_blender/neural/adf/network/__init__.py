"""The networks of ADF, all that is trained and shipped in one file.

`SpeechEncoder` hears; `StyleEncoder` makes the learnt part of a style code; `StyleDecoder` turns neutral articulation
into that of the style. Beside it stands the way by codes: a `MotionVQ` for expression and one for the head tell motion
by codes, and `CodePredictor` says which codes fit what is heard.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .code_predictor import CodePredictor
from .speech_encoder import HEARING_FRAMES, SpeechEncoder
from .style_decoder import STYLING_FRAMES, StyleDecoder
from .style_encoder import StyleEncoder
from .vqvae import MotionVQ

MARGIN_FRAMES = HEARING_FRAMES + STYLING_FRAMES
"""Frames at 50 Hz on each side of a window that hold all that a frame of the output depends on."""
WAYS = ("expression", "head")
"""What can be made by codes."""


class SpeechToFaceNetwork(nn.Module):
    """The parts by their names in the weights file.

    Args:
        channels, blocks: width and depth of the speech encoder.
        expression_vq, head_vq, code_predictor: configurations of the parts that work by codes; None: not there.
        by_codes: what is made by codes, of "expression" (else by the style decoder) and "head" (else by rule).

    Raises:
        ValueError: something is to be made by codes, and there is no code predictor.
    """

    def __init__(
        self, channels: int = 256, blocks: int = 10, expression_vq: dict | None = None,
        head_vq: dict | None = None, code_predictor: dict | None = None, by_codes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.size = {"channels": channels, "blocks": blocks}
        self.by_codes = tuple(by_codes)
        self.speech = SpeechEncoder(channels, blocks)
        self.style_encoder = StyleEncoder()
        self.style_decoder = StyleDecoder()
        self.expression_vq = MotionVQ(**expression_vq) if expression_vq else None
        self.head_vq = MotionVQ(**head_vq) if head_vq else None
        self.code_predictor = None
        if code_predictor and self.expression_vq is not None and self.head_vq is not None:
            self.code_predictor = CodePredictor(self.expression_vq, self.head_vq, **code_predictor)
        if not set(self.by_codes) <= (set() if self.code_predictor is None else set(WAYS)):
            raise ValueError(f"by codes, without a code predictor for it: {', '.join(self.by_codes)}")

    @property
    def config(self) -> dict:
        """What `__init__` takes to make such a network again."""
        names = ("expression_vq", "head_vq", "code_predictor")
        parts = {name: getattr(self, name).config for name in names if getattr(self, name) is not None}
        return {**self.size, **parts, **({"by_codes": list(self.by_codes)} if self.by_codes else {})}
