"""Records: what a call did, as plain JSON values, and what is needed to do it again."""

from __future__ import annotations

import base64
import functools
import importlib.metadata
import zlib
from typing import Any

import cv2
import numpy as np
import PIL
from PIL import Image

from pail._version import __version__
from pail.call.state import Call, Step
from pail.core.checks import describe
from pail.core.frame import Frame
from pail.core.mask import mask_array


def rng_state(state: Any) -> dict[str, Any]:
    """A generator's state; integers as text, since other readers of JSON round large ones."""
    return _texts(state)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return [str(entry) for entry in value.tolist()]
    return value if isinstance(value, str) else str(value)


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: entry if key == "bit_generator" else _numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return np.array([int(entry) for entry in value], np.uint64)
    return int(value)


def rng_from_state(state: dict[str, Any]) -> np.random.Generator:
    bit_generator = getattr(np.random, state["bit_generator"])(0)
    bit_generator.state = _numbers(state)
    return np.random.Generator(bit_generator)


def encode(value: Any) -> Any:
    """An argument as JSON: masks are packed, callables are named only."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Image.Image) or (isinstance(value, np.ndarray) and value.dtype == np.bool_):
        value = mask_array("mask", value)
    if isinstance(value, np.ndarray) and value.dtype in (np.bool_, np.uint8) and value.ndim >= 2:
        packed = zlib.compress(np.packbits(value > 0).tobytes())
        return {"mask": base64.b64encode(packed).decode("ascii"), "shape": list(value.shape)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encode(entry) for entry in value]
    return {"object": describe(value)}


def decode(name: str, value: Any) -> Any:
    if isinstance(value, dict) and "mask" in value:
        count = int(np.prod(value["shape"]))
        bits = np.frombuffer(zlib.decompress(base64.b64decode(value["mask"])), np.uint8)
        return np.unpackbits(bits, count=count).reshape(value["shape"]).astype(bool)
    if isinstance(value, dict) and "object" in value:
        raise ValueError(
            f"`{name}` was {value['object']}, which a record cannot hold; pass it again: replay(..., {name}=)"
        )
    if isinstance(value, list):
        return [decode(name, entry) for entry in value]
    return value


def of_call(call: Call, technique: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """All that replaying a call needs, and what was drawn."""
    common = {"roi": call.common.roi, "severity": call.common.severity}
    steps = [_of_step(step) for step in call.steps]
    head = {
        "technique": technique,
        "version": __version__,
        "stack": stack(),
        "image": of_image(call.frame),
        "rng": rng_state(call.state),
        "settings": {name: encode(value) for name, value in call.settings._asdict().items()},
        "arguments": {name: encode(value) for name, value in (arguments | common).items()},
    }
    return {**head, "steps": steps} if technique == "insert" else {**head, **steps[0]}


def _of_step(step: Step) -> dict[str, Any]:
    """One anomaly: the drawn numbers by name, a list where a name was drawn more than once."""
    drawn = {name: encode(values[0] if len(values) == 1 else values) for name, values in step.draw.drawn.items()}
    source = None if step.source is None else checksum(step.source)
    return {"technique": step.name, "source": source, "severity": step.draw.severity, "drawn": drawn}


def of_image(frame: Frame) -> dict[str, Any]:
    return {"shape": list(frame.image.shape), "dtype": frame.image.dtype.name, "checksum": checksum(frame.image)}


def checksum(pixels: np.ndarray) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(pixels).data):08x}"


def stack() -> dict[str, str]:
    """The versions on which the bytes of a result depend."""
    return {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "scikit-image": _version("scikit-image"),  # not imported for its number: that takes half a second
    }


@functools.cache
def _version(package: str) -> str:
    return importlib.metadata.version(package)
