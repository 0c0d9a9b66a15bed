"""Names of the types that the methods accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

ImageLike: TypeAlias = npt.NDArray[Any] | Image.Image
SourceLike: TypeAlias = ImageLike | Sequence[ImageLike] | Callable[[np.random.Generator], ImageLike]
MaskLike: TypeAlias = npt.NDArray[Any] | Image.Image
ROILike: TypeAlias = MaskLike | Literal["foreground"]
RNGLike: TypeAlias = Union[int, Sequence[int], np.random.SeedSequence, np.random.Generator]  # noqa: UP007
Range: TypeAlias = Sequence[float] | npt.NDArray[Any]  # two numbers (low, high)
DataRangeLike: TypeAlias = float | Range | Literal["auto"]  # full-scale value, window, or a window for each image
Severity: TypeAlias = float | Range
AugmenterLike: TypeAlias = Any  # a callable image -> image, or an augmenter of imgaug
