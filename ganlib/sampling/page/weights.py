"""Weights of an ONNX file in fewer bits; what is computed with them stays float32."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

Precision = Literal["float32", "float16", "int8"]
SMALLEST = 64
"""Numbers of a tensor from which on its bits are worth sparing."""


def store(path: Path, precision: Precision) -> None:
    """Write the file anew with its larger weights as `precision` says: half as many bytes, or a
    quarter, of which each row then has a scale of its own.
    """
    onnx: Any = import_module("onnx")  # which may be missing, and has no types
    if precision == "float32":
        return
    model = onnx.load(path)
    make: Callable[..., list[Any]] = {"float16": _halved, "int8": _in_steps}[precision]
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        x = onnx.numpy_helper.to_array(tensor)
        if x.dtype != np.float32 or x.size < SMALLEST:
            kept.append(tensor)
            continue
        *parts, node = make(onnx, tensor.name, x)
        kept += parts
        nodes += node
    nodes += model.graph.node
    for field, now in ((model.graph.initializer, kept), (model.graph.node, nodes)):
        del field[:]
        field.extend(now)
    onnx.save(model, path)


def _halved(onnx: Any, name: str, x: np.ndarray[Any, Any]) -> list[Any]:
    small = onnx.numpy_helper.from_array(x.astype(np.float16), f"{name}.half")
    return [small, [_cast(onnx, small.name, name)]]


def _in_steps(onnx: Any, name: str, x: np.ndarray[Any, Any]) -> list[Any]:
    """Cast and Mul, which are done once, where DequantizeLinear would be done for each image."""
    most = np.abs(x.reshape(len(x), -1)).max(1).reshape(-1, *[1] * (x.ndim - 1))
    scale = np.where(most > 0, most / 127, 1).astype(np.float32)
    steps = onnx.numpy_helper.from_array(np.rint(x / scale).astype(np.int8), f"{name}.steps")
    scales = onnx.numpy_helper.from_array(scale, f"{name}.scale")
    cast = _cast(onnx, steps.name, f"{name}.whole")
    times = onnx.helper.make_node("Mul", [f"{name}.whole", scales.name], [name])
    return [steps, scales, [cast, times]]


def _cast(onnx: Any, name: str, to: str) -> Any:
    return onnx.helper.make_node("Cast", [name], [to], to=onnx.TensorProto.FLOAT)
