"""Complete checks of what a registered technique returns, which can be any object."""

from __future__ import annotations

import numbers
from typing import Any

import cv2
import numpy as np

from pail.core.checks import describe
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box
from pail.core.sampler import Sampler
from pail.registry import Technique


def answer_of(
    name: str,
    technique: Technique,
    image: NormalImage,
    sampler: Sampler,
    inputs: tuple[Any, ...],
    options: dict[str, Any],
) -> Insertion | None:
    """Call a registered technique and check its Insertion; None if it misses the region of interest."""
    _check_options(name, technique, options)
    try:
        answer = technique.function(image, sampler, *inputs, **options)
    except MemoryError:
        raise
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"the technique {name!r} must return an Insertion, but it raised {error!r}") from error
    if not isinstance(answer, Insertion):
        raise TypeError(f"the technique {name!r} must return a pail.Insertion, got {describe(answer)}")
    box = _box(name, answer.box, image)
    _check_content(name, answer.content, box, image)
    _check_mask(name, answer.mask, box)
    opacity = _opacity(name, answer.opacity)
    if image.roi is not None and not cv2.hasNonZero(np.ascontiguousarray(image.roi[box.slices])):
        return None
    return Insertion(box, answer.content, answer.mask, opacity)


def _check_options(name: str, technique: Technique, options: dict[str, Any]) -> None:
    wrong = technique.unknown(options)
    if wrong:
        names = ", ".join(technique.parameters) or "of every method alone"
        raise TypeError(f"the technique {name!r} takes the keywords {names}; got {wrong}")


def _box(name: str, box: Any, image: NormalImage) -> Box:
    """The box as plain integers, checked."""
    head = f"the technique {name!r} must return an Insertion whose box"
    if not isinstance(box, Box):
        raise TypeError(f"{head} is a pail.Box, got {describe(box)}")
    if not all(isinstance(side, numbers.Integral) and not isinstance(side, bool | np.bool_) for side in box):
        raise TypeError(f"{head} contains integers, got {describe(box)}")
    plain = Box(*(int(side) for side in box))
    if plain.height < 1 or plain.width < 1 or plain.intersect(image.whole) != plain:
        raise ValueError(f"{head} has a pixel and lies inside the image of shape {image.shape}, got {plain}")
    return plain


def _check_content(name: str, content: Any, box: Box, image: NormalImage) -> None:
    shape, dtype = (box.height, box.width, image.channels), np.dtype(image.working_dtype)
    wanted = f"of shape {shape} and dtype {dtype}" + (" or float32" if image.is_byte else "")
    head = f"the technique {name!r} must return an Insertion whose content is an array {wanted}"
    if not isinstance(content, np.ndarray) or content.dtype not in (dtype, np.float32):
        raise TypeError(f"{head}, got {describe(content)}")
    if content.shape != shape:
        raise ValueError(f"{head}, got {describe(content)}")
    if content.dtype == np.float32 and not np.isfinite(content).all():
        raise ValueError(f"{head} with finite values, got NaN or infinity")


def _check_mask(name: str, mask: Any, box: Box) -> None:
    shape = box.height, box.width
    head = (
        f"the technique {name!r} must return an Insertion whose mask is None or uint8 of shape {shape} with 0 and 255"
    )
    if mask is None:
        return
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8:
        is_bool = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        hint = "; np.where(mask, 255, 0).astype(np.uint8) makes it one" if is_bool else ""
        raise TypeError(f"{head}, got {describe(mask)}{hint}")
    if mask.shape != shape or not np.isin(mask, (0, 255)).all():
        raise ValueError(f"{head}, got {describe(mask)}{' with other values' if mask.shape == shape else ''}")
    if not mask.any():
        raise ValueError(f"{head}, not all 0: got an empty mask")


def _opacity(name: str, opacity: Any) -> float:
    head = f"the technique {name!r} must return an Insertion whose opacity is a number in [0, 1]"
    if not isinstance(opacity, numbers.Real) or isinstance(opacity, bool | np.bool_):
        raise TypeError(f"{head}, got {describe(opacity)}")
    if not 0 <= float(opacity) <= 1:  # nor NaN
        raise ValueError(f"{head}, got {describe(opacity)}")
    return float(opacity)
