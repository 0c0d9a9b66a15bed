"""Doing again what a record says."""

from __future__ import annotations

from typing import Any

import numpy as np

from pail import pai
from pail import record as records
from pail._version import __version__
from pail.core.checks import describe
from pail.core.frame import as_frame
from pail.mix import insert
from pail.run import Call, run

COMMON = ("roi", "severity", "data_range")
FIELDS = ("technique", "version", "image", "source", "rng", "arguments")


def replay(
    record: dict[str, Any], image: Any, anom_source_img: Any = None, **overrides: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Insert again, to the byte, what a record describes.

    Parameters
    ----------
    record : dict
        The third value of a method that was called with ``return_record=True``; it may have been through JSON.
    image : array_like or PIL.Image.Image
        The normal image of that call.
    anom_source_img : optional
        The source of that call, where it had one.
    **overrides
        Arguments that a record cannot hold because they are objects, such as ``augmenter=``.

    Returns
    -------
    i_a : ndarray
        The pseudo-anomalous image.
    m_a : ndarray of shape (H, W, 1) and dtype uint8
        Its mask, 0 and 255.

    Raises
    ------
    TypeError
        If `record` is no record.
    ValueError
        If the record is of another version of the library or of another image size or dtype, or if the source or an
        object is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import pai, replay
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> i_a, m_a, record = pai.Anomaly_Insertion().random_perturbation(image, return_record=True)
    >>> again, mask = replay(record, image)
    >>> np.array_equal(again, i_a) and np.array_equal(mask, m_a)
    True
    """
    _check(record)
    name = record["technique"]
    frame = as_frame(image, record["arguments"]["data_range"])
    shown = {"shape": list(frame.image.shape), "dtype": frame.image.dtype.name}
    if shown != record["image"]:
        raise ValueError(f"`image` must be as recorded, {record['image']}, got {shown}")
    if record["source"] and anom_source_img is None:
        raise ValueError("`anom_source_img` must be given: the record was made with a source")
    source = anom_source_img if record["source"] else None
    arguments = _arguments(record["arguments"], overrides)
    roi, severity, data_range = (arguments.pop(key) for key in COMMON)
    call = Call(roi, severity, data_range, _generator(record["rng"]), False)
    if name == "insert":
        return insert(pai.TECHNIQUES, image, source, call, **arguments)
    return run(name, pai.TECHNIQUES[name], image, source, call, arguments)


def _check(value: Any) -> None:
    if not isinstance(value, dict) or not all(field in value for field in FIELDS):
        raise TypeError(f"`record` must be a dict that a call with return_record=True made, got {describe(value)}")
    if not isinstance(value["arguments"], dict) or not all(key in value["arguments"] for key in COMMON):
        raise TypeError("`record` must be a dict that a call with return_record=True made, got one without arguments")
    if value["version"] != __version__:
        raise ValueError(f"`record` must be of version {__version__} of the library, got {value['version']!r}")
    if value["technique"] not in (*pai.TECHNIQUES, "insert"):
        known = ", ".join((*pai.TECHNIQUES, "insert"))
        raise ValueError(f"`record` must name a technique out of {known}, got {value['technique']!r}")


def _arguments(recorded: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    for name in overrides:
        if name not in recorded:
            raise TypeError(f"`{name}` must be an argument of the recorded call: {', '.join(recorded)}")
    return {
        name: overrides[name] if name in overrides else records.decode(name, value) for name, value in recorded.items()
    }


def _generator(state: Any) -> np.random.Generator:
    try:
        return records.rng_from_state(state)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"`record` must hold the state of a generator under 'rng', got {describe(state)}") from error
