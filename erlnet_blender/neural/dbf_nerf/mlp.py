"""Small bias-free perceptrons whose flat parameters follow tiny-cuda-nn's fully fused network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def padded(width: int) -> int:
    """The next multiple of 16, which tiny-cuda-nn pads inputs and outputs to."""
    return -(-width // 16) * 16


class Mlp(nn.Module):
    """ReLU layers without biases; the input is filled up with ones, the outputs beyond `outputs` are dropped.

    The flat parameters are the row-major matrices [hidden, inputs], [hidden, hidden] …, [outputs, hidden]
    one after the other, with inputs and outputs padded to multiples of 16. The ones act as biases of the
    first layer, therefore `inputs` should not be a multiple of 16.
    """

    def __init__(
        self, inputs: int, outputs: int, hidden: int = 64, hidden_layers: int = 1, last_gain: float = 1.0
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        widths = [padded(inputs), *[hidden] * hidden_layers, padded(outputs)]
        self.shapes = list(zip(widths[1:], widths[:-1], strict=True))
        matrices = []
        for fan_out, fan_in in self.shapes:
            bound = math.sqrt(6 / (fan_in + fan_out))
            matrices.append(torch.empty(fan_out * fan_in).uniform_(-bound, bound))
        matrices[-1] *= last_gain
        self.params = nn.Parameter(torch.cat(matrices))

    def matrices(self) -> list[Tensor]:
        """The layers' weights, views of the flat parameters."""
        sizes = [fan_out * fan_in for fan_out, fan_in in self.shapes]
        return [part.view(shape) for part, shape in zip(self.params.split(sizes), self.shapes, strict=True)]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Tensors (N, ·) that together have `inputs` columns, to (N, outputs)."""
        missing = self.shapes[0][1] - self.inputs
        ones = inputs[0].new_ones(1, missing).expand(len(inputs[0]), missing)
        value = torch.cat([*inputs, ones], 1)
        matrices = self.matrices()
        for matrix in matrices[:-1]:
            value = torch.relu_(value @ matrix.T)
        return (value @ matrices[-1].T)[:, : self.outputs]
