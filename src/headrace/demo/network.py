"""EfficientNet-Lite0 as an ONNX graph, made from its weights by name.

EfficientNet (Tan and Le, 2019, https://arxiv.org/abs/1905.11946) is a stem, seven stages of
inverted bottlenecks, a head and a linear layer; the Lite kind has ReLU6 for swish and no
squeeze-and-excite.
Two things must be right or it sees little: batch norms are folded with TensorFlow's epsilon, and
padding is TensorFlow's SAME, which puts the odd pixel last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]

SIDE = 224  # pixels of the square image it takes
CLASSES = 1000
EPSILON = 1e-3  # of the batch norms
OPSET, IR_VERSION = 17, 8  # old enough for any runtime of these years


class Stage(NamedTuple):
    """Like blocks in a row; the first one has the stride and widens the channels."""

    blocks: int
    kernel: int
    stride: int
    expand: bool
    channels: int


STAGES = (
    Stage(1, 3, 1, expand=False, channels=16),
    Stage(2, 3, 2, expand=True, channels=24),
    Stage(2, 5, 2, expand=True, channels=40),
    Stage(3, 3, 2, expand=True, channels=80),
    Stage(3, 5, 1, expand=True, channels=112),
    Stage(4, 5, 2, expand=True, channels=192),
    Stage(1, 3, 1, expand=True, channels=320),
)
STEM_CHANNELS = 32


class Feature(NamedTuple):
    """A value in the graph: its name and the side of its square, in pixels."""

    name: str
    side: int


def build(weights: Mapping[str, Array]) -> bytes:
    """Make the graph: `image` (n, 3, 224, 224), (pixel - 127) / 128 -> `logits` (n, 1000)."""
    graph = _Graph(weights)
    x = graph.convolve(Feature("image", SIDE), "_conv_stem", "_bn0", stride=2)
    channels, index = STEM_CHANNELS, 0
    for stage in STAGES:
        for block in range(stage.blocks):
            stride = stage.stride if block == 0 else 1
            y = _bottleneck(graph, x, f"_blocks.{index}.", stage, stride)
            if stride == 1 and channels == stage.channels:
                y = Feature(graph.add("Add", y.name, x.name), y.side)
            x = y
            channels, index = stage.channels, index + 1
    x = graph.convolve(x, "_conv_head", "_bn1")
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", x.name))
    weight, bias = graph.constant("_fc.weight"), graph.constant("_fc.bias")
    graph.add("Gemm", pooled, weight, bias, output="logits", transB=1)
    return graph.packed()


def _bottleneck(graph: _Graph, x: Feature, prefix: str, stage: Stage, stride: int) -> Feature:
    if stage.expand:
        x = graph.convolve(x, f"{prefix}_expand_conv", f"{prefix}_bn0")
    x = graph.convolve(x, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride)
    return graph.convolve(x, f"{prefix}_project_conv", f"{prefix}_bn2", relu=False)


class _Graph:
    """Nodes in order, and the constants they use."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._zero = self.constant("zero", np.float32(0))
        self._six = self.constant("six", np.float32(6))

    def constant(self, name: str, value: Any = None) -> str:
        """Keep a value, or the weight of that name, as float32."""
        value = self._weights[name] if value is None else value
        self._constants[name] = numpy_helper.from_array(
            np.asarray(value, np.float32, order="C"), name
        )
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and name its one output."""
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolve(
        self, x: Feature, conv: str, norm: str, *, stride: int = 1, relu: bool = True
    ) -> Feature:
        """Add a convolution with its batch norm folded in, and the ReLU6 behind it."""
        kernel = self._weights[f"{conv}.weight"]
        scale = self._weights[f"{norm}.weight"] / np.sqrt(
            self._weights[f"{norm}.running_var"] + EPSILON
        )
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        depthwise = kernel.shape[1] == 1
        side, pads = _same(x.side, kernel.shape[2], stride)
        output = self.add(
            "Conv",
            x.name,
            self.constant(f"{conv}.kernel", kernel * scale[:, None, None, None]),
            self.constant(f"{conv}.bias", bias),
            strides=[stride, stride],
            pads=pads,
            group=kernel.shape[0] if depthwise else 1,
        )
        if relu:
            output = self.add("Clip", output, self._zero, self._six)
        return Feature(output, side)

    def packed(self) -> bytes:
        """Check the graph and write it out."""
        graph = helper.make_graph(
            self._nodes,
            "efficientnet_lite0",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _same(side: int, kernel: int, stride: int) -> tuple[int, list[int]]:
    """Say the output's side under SAME padding, and the pads (top, left, bottom, right)."""
    out = -(-side // stride)
    missing = max((out - 1) * stride + kernel - side, 0)
    before, after = missing // 2, missing - missing // 2
    return out, [before, before, after, after]
