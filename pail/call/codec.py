"""The codec of records: encodes an argument of a call as plain JSON, and decodes it.

None, bool, int, str, finite floats and dicts with str keys are stored unchanged, and a JSON array is a tuple.
Everything else is a dict whose first key begins with "$", so that decoding returns the same value with the same type
and dtype:

    {"$list": [...]}                                  a list
    {"$dict": [[key, value], ...]}                    a dict with other keys
    {"$float": "inf"}                                 inf, -inf and nan
    {"$scalar": dtype, ...}, {"$array": dtype, ...}   NumPy: with "values", "bits" (two values only) or "data"
    {"$image": mode, ...}                             a PIL image
    {"$bytes": ...}, {"$complex": ...}, {"$fraction": ...}, {"$range": ...}, {"$set": ...},
    {"$frozenset": ...}
    {"$object": description}                          functions, augmenters and other objects

Bits and data are compressed by zlib and written in base64.
"""

from __future__ import annotations

import base64
import json
import math
import numbers
import zlib
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from pail.core.checks import describe

SAME_IN_JSON = frozenset({type(None), bool, int, str})
DEPTH = 16  # of nesting; values that are nested deeper or contain themselves are encoded as objects
SHOWN = 16  # numbers; a larger array is packed as bytes


def encode(value: Any, *, plain: bool = False, depth: int = DEPTH) -> Any:
    """Encode a snapshot as JSON. With `plain`, for reading only, NumPy scalars become numbers and sequences become
    arrays."""
    kind = type(value)
    if kind in SAME_IN_JSON or (kind is float and math.isfinite(value)):  # the common case, checked first
        return value
    if isinstance(value, bool | None):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return _encode_numpy(value, plain, depth)
    if isinstance(value, numbers.Number):
        return _encode_number(value)
    if isinstance(value, str):
        return str.__str__(value)  # for a member of a str Enum, its value
    if isinstance(value, bytes):
        return {"$bytes": _pack(value)}
    if isinstance(value, Image.Image):
        return _encode_image(value)
    if isinstance(value, range):
        return {"$range": [value.start, value.stop, value.step]}
    if depth == 0 or not isinstance(value, Mapping | Sequence | set | frozenset):
        return {"$object": describe(value)}
    return _encode_entries(value, partial(encode, plain=plain, depth=depth - 1), plain)


def _encode_entries(value: Any, encoded: Callable[[Any], Any], plain: bool) -> Any:
    if isinstance(value, Mapping):
        if all(type(key) is str and key[:1] != "$" for key in value):
            return {key: encoded(entry) for key, entry in value.items()}
        return {"$dict": [[encoded(key), encoded(entry)] for key, entry in value.items()]}
    entries = [encoded(entry) for entry in value]
    if isinstance(value, set | frozenset):  # sorted, so that the order does not depend on the process
        entries.sort(key=json.dumps)
        return {"$frozenset" if isinstance(value, frozenset) else "$set": entries}
    return entries if plain or isinstance(value, tuple) else {"$list": entries}


def _encode_number(value: Any) -> Any:
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, Fraction):
        return {"$fraction": [value.numerator, value.denominator]}
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else {"$float": str(number)}
    if isinstance(value, complex):
        return {"$complex": [_encode_number(value.real), _encode_number(value.imag)]}
    return {"$object": describe(value)}


def _encode_numpy(value: np.generic | np.ndarray, plain: bool, depth: int) -> Any:
    array = np.asarray(value)
    kind, flat = array.dtype.kind, array.reshape(-1)
    is_number = kind in "biuf" and array.dtype.itemsize <= 8
    if plain and is_number:
        exact = kind != "f" or bool(np.isfinite(array).all())
        return array.tolist() if exact else encode(array.tolist(), plain=True)
    head: dict[str, Any] = {"$scalar": array.dtype.str}
    if isinstance(value, np.ndarray):
        head = {"$array": array.dtype.str, "shape": list(array.shape)}
    if kind == "O" and depth > 0:
        return {**head, "values": [encode(entry, depth=depth - 1) for entry in flat]}
    if kind not in "biufcSUmM":
        return {"$object": describe(value)}
    if is_number and array.size <= SHOWN:
        return {**head, "values": [encode(number) for number in flat.tolist()]}
    if is_number:
        marked = (flat.view(np.uint8) if kind == "b" else flat) != 0  # any nonzero byte may represent True
        level = flat[marked][:1]
        two = np.zeros_like(flat)
        two[marked] = level
        if kind == "b" or two.tobytes() == flat.tobytes():  # compared as bytes, which distinguishes -0.0 from 0.0
            levels = [encode(number) for number in level.tolist()]
            return {**head, "bits": _pack(np.packbits(marked).tobytes()), "values": levels}
    return {**head, "data": _pack(array.tobytes())}


def _encode_image(value: Image.Image) -> dict[str, Any]:
    try:
        coded = {"$image": value.mode, "size": list(value.size), "data": _pack(value.tobytes())}
    except Exception:  # closed or truncated
        return {"$object": describe(value)}
    if value.palette is not None:
        mode = value.palette.mode
        coded["palette"] = [mode, _pack(bytes(value.getpalette(mode) or ()))]
    if isinstance(value.info.get("transparency"), int | bytes | tuple):
        coded["transparency"] = encode(value.info["transparency"])
    return coded


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode("ascii")


def _unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


class NotHeldError(ValueError):
    """A record names an object that JSON cannot represent and that was not passed again."""


NOTHING = object()
ENTRIES: dict[str, Callable[[Sequence[Any]], Any]] = {"$list": list, "$set": set, "$frozenset": frozenset}


def decode(name: str, value: Any, again: Any = NOTHING) -> Any:
    """Decode the argument `name` from its JSON. `again`, if given, replaces it; if both are dicts, it replaces single
    entries.

    Raises
    ------
    NotHeldError
        If it contains an object that is not in `again`.
    TypeError
        If `again` has an entry that was not recorded.
    ValueError
        If the value cannot have been recorded by a call.
    """
    return _Decoder(name).decode(value, again, (), name)


class _Decoder:
    def __init__(self, name: str) -> None:
        self.name = name

    def decode(self, value: Any, again: Any = NOTHING, keys: tuple[Any, ...] = (), path: str = "") -> Any:
        """Decode a value; `keys` are the keys of the dicts that contain it, and `path` is its name in messages."""
        tag = next(iter(value), "") if isinstance(value, dict) else None
        is_mapping = tag is not None and (tag[:1] != "$" or tag == "$dict")
        if again is not NOTHING and not (is_mapping and isinstance(again, Mapping)):
            return again
        if tag is None:
            return self._sequence(value, keys, path) if isinstance(value, list) else value
        if is_mapping:
            return self._mapping(value, again if isinstance(again, Mapping) else {}, keys, path)
        if tag in ENTRIES:
            return ENTRIES[tag](self._sequence(value[tag], keys, path))
        if tag == "$object":
            hint = "..."
            for key in reversed(keys):
                hint = f"{{{_text(key)}: {hint}}}"
            raise NotHeldError(
                f"`{path}` was {value[tag]}, which a record cannot contain; pass it again: replay(..., "
                f"{self.name}={hint})"
            )
        try:
            return self._leaf(tag, value, keys, path)
        except NotHeldError:
            raise
        except Exception as error:  # a record may have been edited or truncated
            raise ValueError(f"`record` must contain `{path}` as a call recorded it, got {describe(value)}") from error

    def _sequence(self, value: list[Any], keys: tuple[Any, ...], path: str) -> tuple[Any, ...]:
        return tuple([self.decode(entry, NOTHING, keys, f"{path}[{i}]") for i, entry in enumerate(value)])

    def _mapping(self, value: dict[str, Any], again: Mapping[Any, Any], keys: tuple[Any, ...], path: str) -> Any:
        try:
            pairs = [(self.decode(key), entry) for key, entry in value.get("$dict", value.items())]
            recorded = dict(pairs)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`record` must contain `{path}` as a call recorded it, got {describe(value)}") from error
        for key in again:
            if key not in recorded:
                known = ", ".join(map(_text, recorded)) or "no entries"
                raise TypeError(f"`{path}[{_text(key)}]` must be an entry of the recorded call, which had {known}")
        return {
            key: self.decode(entry, again.get(key, NOTHING), (*keys, key), f"{path}[{_text(key)}]")
            for key, entry in recorded.items()
        }

    def _leaf(self, tag: str, value: dict[str, Any], keys: tuple[Any, ...], path: str) -> Any:
        held = value[tag]
        if tag == "$float":
            return float(held)
        if tag == "$complex":
            return complex(*(self.decode(part) for part in held))
        if tag == "$fraction":
            return Fraction(*held)
        if tag == "$range":
            return range(*held)
        if tag == "$bytes":
            return _unpack(held)
        if tag == "$image":
            return self._image(value)
        if tag not in ("$scalar", "$array"):
            raise ValueError(f"unknown tag {tag}")
        array = self._array(np.dtype(held), value, keys, path)
        return array[()] if tag == "$scalar" else array

    def _array(self, dtype: np.dtype, value: dict[str, Any], keys: tuple[Any, ...], path: str) -> np.ndarray:
        shape = tuple(value.get("shape", ()))
        if "data" in value:
            return np.frombuffer(_unpack(value["data"]), dtype).reshape(shape).copy()
        values = self._sequence(value["values"], keys, path)
        array = np.zeros(shape, dtype)
        flat = array.reshape(-1)
        if "bits" in value:
            bits = np.frombuffer(_unpack(value["bits"]), np.uint8)
            flat[np.unpackbits(bits, count=flat.size).view(bool)] = np.array(values, dtype)
        elif len(values) != flat.size:
            raise ValueError(f"{len(values)} values for shape {shape}")
        else:
            for i, entry in enumerate(values):
                flat[i] = entry
        return array

    def _image(self, value: dict[str, Any]) -> Image.Image:
        image = Image.frombytes(value["$image"], tuple(value["size"]), _unpack(value["data"]))
        if "palette" in value:
            mode, colors = value["palette"]
            image.putpalette(_unpack(colors), mode)
        if "transparency" in value:
            image.info["transparency"] = self.decode(value["transparency"])
        return image


def _text(key: Any) -> str:
    return json.dumps(key) if isinstance(key, str) else repr(key)
