"""Records: what a call did and what is needed to reproduce it, as plain JSON values."""

from __future__ import annotations

import functools
import importlib.metadata
import numbers
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL
from PIL import Image

from pail._version import __version__
from pail.beyond.real.defects import Defects
from pail.call.codec import DEPTH, encode
from pail.call.state import Call, Settings, Step

IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes, complex, range, Fraction})
ROWS = 8  # evenly spaced rows in the fingerprint of an image or a source, or all rows if there are fewer


def snapshot(value: Any, depth: int = DEPTH) -> Any:
    """A copy that later changes of the argument do not affect. Objects that cannot be encoded are not copied."""
    kind = type(value)
    if kind in IMMUTABLE or depth == 0:
        return value
    if isinstance(value, tuple):
        is_flat = kind is tuple and IMMUTABLE.issuperset(map(type, value))
        return value if is_flat else tuple([snapshot(entry, depth - 1) for entry in value])
    if isinstance(value, np.generic | numbers.Number | str):
        return value
    if isinstance(value, np.ndarray | Image.Image):
        return _copy(value, depth)
    if isinstance(value, Mapping):
        return {key: snapshot(entry, depth - 1) for key, entry in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Sequence):
        return [snapshot(entry, depth - 1) for entry in value]
    if isinstance(value, set | frozenset):
        return value.copy()
    return value


def _copy(value: np.ndarray | Image.Image, depth: int) -> Any:
    if isinstance(value, Image.Image):
        try:
            return value.copy()
        except Exception:  # closed or truncated: the code that reads the pixels raises an error that names the argument
            return value
    copy = np.array(value)
    if copy.dtype.kind == "O":
        flat = copy.reshape(-1)
        for i, entry in enumerate(flat):
            flat[i] = snapshot(entry, depth - 1)
    return copy


def _texts(value: Any) -> Any:
    """The state of a generator with its integers as str, because some readers of JSON round large integers."""
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


def fingerprint(pixels: np.ndarray) -> int:
    """A checksum of a few rows of pixels, which takes about 2 microseconds at 256 x 256.

    It is used to name the input that differs. Whether a replay is correct is decided by the checksum of its result.
    """
    height = pixels.shape[0]
    return zlib.crc32(pixels[height // (2 * ROWS) :: -(-height // ROWS)].tobytes())


class Given(NamedTuple):
    """The part of a record that depends on the arguments, taken before anything is drawn."""

    technique: str  # or "insert"
    arguments: dict[str, Any]
    settings: Settings
    roi: Any
    severity: Any
    shape: tuple[int, ...]
    dtype: np.dtype
    image: int  # its fingerprint
    rng: Mapping[str, Any]  # state of the generator before the first draw
    source: dict[str, Any] | None  # the form in which it was given
    defects: dict[str, Any] | None  # identity of the bank


def of_given(call: Call, technique: str, arguments: Mapping[str, Any], source: Any) -> Given:
    """Copies of the arguments and a fingerprint of the image, so that later changes of them have no effect."""
    roi, severity, image, settings = call.common.roi, call.common.severity, call.image.pixels, call.settings
    return Given(
        technique,
        {name: value if type(value) in IMMUTABLE else snapshot(value) for name, value in arguments.items()},
        settings if IMMUTABLE.issuperset(map(type, settings)) else Settings(*map(snapshot, settings)),
        roi if roi is None or isinstance(roi, str) else call.image.roi,  # a copy of the mask, made when it was checked
        severity if type(severity) in IMMUTABLE else snapshot(severity),
        image.shape,
        image.dtype,
        fingerprint(image),
        call.state,
        None if source is None else source_form(source),
        None if call.defects is None else of_defects(call.defects),
    )


def source_form(source: Any) -> dict[str, Any]:
    """The form of a source, which determines how many numbers are drawn for it."""
    if isinstance(source, list | tuple):
        return {"form": "list", "count": len(source)}
    return {"form": "callable" if callable(source) and not isinstance(source, Image.Image) else "image"}


def of_call(given: Given, steps: Sequence[Step], i_a: np.ndarray, m_a: np.ndarray) -> dict[str, Any]:
    """Everything that is needed to replay a call, and the drawn numbers."""
    arguments = {**given.arguments, "roi": given.roi, "severity": given.severity}
    shown = [_of_step(step) for step in steps]
    head = {
        "technique": given.technique,
        "version": __version__,
        "stack": stack(),
        "image": of_image(given.shape, given.dtype, given.image),
        "anom_source_img": given.source if any(step.takes_source for step in steps) else None,
        "defects": given.defects if any(step.takes_defects for step in steps) else None,
        "rng": _texts(given.rng),
        "settings": {name: encode(value) for name, value in given.settings._asdict().items()},
        "arguments": {name: encode(value) for name, value in arguments.items()},
        "result": of_result(i_a, m_a),
    }
    return {**head, "steps": shown} if given.technique == "insert" else {**head, **shown[0]}


def _of_step(step: Step) -> dict[str, Any]:
    """One anomaly: the drawn numbers by name, as a list if a name was drawn more than once."""
    drawn = {
        str(name): encode(values[0] if len(values) == 1 else values, plain=True)
        for name, values in step.sampler.drawn.items()
    }
    source = None if step.source is None else f"{step.source:08x}"
    severity = encode(step.sampler.severity, plain=True)
    return {"technique": step.name, "source": source, "severity": severity, "drawn": drawn}


def of_defects(bank: Defects) -> dict[str, Any]:
    """The identity of a bank; all its photographs are read at the first call."""
    return {"identity": bank.identity, "count": len(bank)}


def of_image(shape: tuple[int, ...], dtype: np.dtype, checksum: int) -> dict[str, Any]:
    return {"shape": list(shape), "dtype": dtype.name, "checksum": f"{checksum:08x}"}


def of_result(i_a: np.ndarray, m_a: np.ndarray) -> dict[str, str]:
    """The CRC-32 of the bytes of image and mask, in native byte order."""
    native = i_a.astype(i_a.dtype.newbyteorder("="), copy=False)
    return {
        "i_a": f"{zlib.crc32(np.ascontiguousarray(native).data):08x}",
        "m_a": f"{zlib.crc32(np.ascontiguousarray(m_a).data):08x}",
    }


def stack() -> dict[str, str]:
    """The versions on which the bytes of a result depend."""
    return {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "scikit-image": _version("scikit-image"),  # not imported for its version, which would take half a second
    }


@functools.cache
def _version(package: str) -> str:
    return importlib.metadata.version(package)
