"""The networks of ADF, all that is trained and shipped in one file.

`SpeechEncoder` hears; `StyleEncoder` makes the learnt part of a style code; `StyleDecoder` turns neutral articulation
into that of the style.
"""

from __future__ import annotations

from torch import nn

from .speech_encoder import HEARING_FRAMES, SpeechEncoder
from .style_decoder import STYLING_FRAMES, StyleDecoder
from .style_encoder import StyleEncoder

MARGIN_FRAMES = HEARING_FRAMES + STYLING_FRAMES
"""Frames at 50 Hz on each side of a window that hold all that a frame of the output depends on."""


class SpeechToFaceNetwork(nn.Module):
    """The parts by their names in the weights file.

    Args:
        channels, blocks: width and depth of the speech encoder.
    """

    def __init__(self, channels: int = 256, blocks: int = 10, dropout: float = 0.05) -> None:
        super().__init__()
        self.config = {"channels": channels, "blocks": blocks}
        self.speech = SpeechEncoder(channels, blocks, dropout)
        self.style_encoder = StyleEncoder()
        self.style_decoder = StyleDecoder()
