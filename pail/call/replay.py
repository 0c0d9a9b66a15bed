"""Doing again what a record says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from pail._version import __version__
from pail.call import record as records
from pail.call.insert import insert
from pail.call.result import PseudoAnomaly
from pail.call.run import run
from pail.core.checks import describe
from pail.core.frame import Frame, as_frame
from pail.core.settings import Common, Settings
from pail.registry import TECHNIQUES

FIELDS = ("technique", "version", "image", "rng", "settings", "arguments")


def replay(record: dict[str, Any], image: Any, anom_source_img: Any = None, **overrides: Any) -> PseudoAnomaly:
    """Insert again, to the byte, what a record describes.

    Parameters
    ----------
    record : dict
        The `record` of a result; it may have been through JSON.
    image : array_like or PIL.Image.Image
        The normal image of that call.
    anom_source_img : optional
        The source of that call, where it had one; the same list, or an
        equal callable, for `insert`.
    **overrides
        Arguments that a record cannot hold because they are objects, such
        as ``augmenter=``.

    Returns
    -------
    PseudoAnomaly
        ``(i_a, m_a)`` as before: the same bytes on the same versions of the
        library, NumPy, OpenCV, Pillow and scikit-image.

    Raises
    ------
    TypeError
        If `record` is no record.
    ValueError
        If the record is of another version of the library, or the image or
        the source is not that of the record, or an object is missing.

    Warns
    -----
    UserWarning
        If the record was made with another major version of OpenCV, which
        may give other bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import pai, replay
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> result = pai.Anomaly_Insertion().random_perturbation(image)
    >>> again, mask = replay(result.record, image)
    >>> i_a, m_a = result
    >>> np.array_equal(again, i_a) and np.array_equal(mask, m_a)
    True
    """
    _check(record)
    arguments = _arguments(record["arguments"], overrides)
    settings = Settings(**_arguments(record["settings"], {k: v for k, v in overrides.items() if k == "transform"}))
    _check_image(record, as_frame(image, settings.data_range, alpha=settings.alpha))
    steps = record["steps"] if record["technique"] == "insert" else [record]
    if anom_source_img is None and any(step["source"] for step in steps):
        raise ValueError("`anom_source_img` must be given: the record was made with a source")
    common = Common(arguments.pop("roi"), arguments.pop("severity"), _generator(record["rng"]))
    if record["technique"] == "insert":
        result = insert(image, anom_source_img, settings, common, **arguments)
    else:
        result = run(record["technique"], image, anom_source_img, settings, common, arguments)
    _check_sources(steps, result.record)
    return result


def _check(value: Any) -> None:
    if not isinstance(value, dict) or not all(field in value for field in FIELDS):
        raise TypeError(f"`record` must be a dict that a result has as its `record`, got {describe(value)}")
    if not isinstance(value["arguments"], dict) or not {"roi", "severity"} <= set(value["arguments"]):
        raise TypeError("`record` must be a dict that a result has as its `record`, got one without arguments")
    if not isinstance(value["settings"], dict) or set(value["settings"]) != set(Settings._fields):
        raise TypeError("`record` must be a dict that a result has as its `record`, got one without settings")
    if value["version"] != __version__:
        raise ValueError(f"`record` must be of version {__version__} of the library, got {value['version']!r}")
    if value["technique"] not in (*TECHNIQUES, "insert"):
        known = ", ".join((*TECHNIQUES, "insert"))
        raise ValueError(f"`record` must name a technique out of {known}, got {value['technique']!r}")
    if "stack" in value:  # a data set keeps the versions once for all its records
        _check_stack(value["stack"])


def _check_stack(recorded: Any) -> None:
    there = str(recorded.get("opencv", "")) if isinstance(recorded, dict) else ""
    here = records.stack()["opencv"]
    if there.split(".")[0] != here.split(".")[0]:
        warnings.warn(
            f"`record` was made with OpenCV {there or 'of unknown version'} and is replayed with {here}: "
            "the bytes may differ",
            UserWarning,
            stacklevel=4,
        )


def _check_image(record: dict[str, Any], frame: Frame) -> None:
    shown = records.of_image(frame)
    if shown != record["image"]:
        raise ValueError(f"`image` must be the one of the record, {record['image']}, got {shown}")


def _check_sources(steps: list[dict[str, Any]], again: dict[str, Any]) -> None:
    seen = again["steps"] if again["technique"] == "insert" else [again]
    for old, new in zip(steps, seen, strict=True):
        if old["source"] != new["source"]:
            raise ValueError(
                f"`anom_source_img` must be the one of the record, with checksum {old['source']}, got {new['source']}"
            )


def _arguments(recorded: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    for name in overrides:
        if name not in recorded and name != "transform":
            raise TypeError(f"`{name}` must be an argument of the recorded call: {', '.join(recorded)}")
    return {
        name: overrides[name] if name in overrides else records.decode(name, value) for name, value in recorded.items()
    }


def _generator(state: Any) -> np.random.Generator:
    try:
        return records.rng_from_state(state)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"`record` must hold the state of a generator under 'rng', got {describe(state)}") from error
