"""Regions of interest: where anomalies may be placed."""

from __future__ import annotations

from typing import Any

import numpy as np

from pail.core.checks import as_choice
from pail.core.image import NormalImage, as_normal_image
from pail.core.mask import as_mask
from pail.pixels.foreground import foreground_of
from pail.types import DataRangeLike

__all__ = ["foreground"]


def as_roi(roi: Any, image: NormalImage, name: str = "roi") -> np.ndarray | None:
    """A region given as None, a mask of the image's size or "foreground", as uint8 {0, 255} (H, W) or None."""
    if roi is None:
        return None
    if isinstance(roi, str):
        as_choice(name, roi, ("foreground",))
        return foreground_of(image)
    return as_mask(name, roi, image.shape)


def foreground(image: Any, *, data_range: DataRangeLike | None = None) -> np.ndarray:
    """Find objects on a plain background. Without a background, the whole
    image is foreground.

    The background is a plane through the colors along the image's border,
    and a pixel is foreground if its color differs from it by more than
    Otsu's threshold. If that gives no reliable result, the whole image is
    foreground. This is the case for a constant image, for a surface or
    texture that fills the image, and for objects that cover less than 1 %
    or more than 95 % of the image, or most of its border. An error
    therefore gives too much foreground rather than too little.

    The mask is what ``roi="foreground"`` uses in every method of
    `Anomaly_Insertion`.

    Parameters
    ----------
    image : numpy.ndarray or PIL.Image.Image
        Image of shape (H, W) or (H, W, C) with at most 16 channels, uint8,
        uint16, float32 or float64. The alpha channel of an image with four
        channels or of PIL mode LA or RGBA is ignored.
    data_range : float, (float, float) or "auto", optional
        As for `Anomaly_Insertion`: the full-scale value, by default that of
        the dtype (255, 65535 or 1.0), or a window of values.

    Returns
    -------
    numpy.ndarray
        Mask of dtype bool and shape (H, W), true on the foreground; never
        all false.

    Raises
    ------
    TypeError
        If `image` is neither an array nor a PIL image, or has another dtype
        or mode.
    ValueError
        If `image` has another shape or is empty, or, for a number, if it
        has values outside ``[0, data_range]``.

    Examples
    --------
    >>> import numpy as np
    >>> from pail.roi import foreground
    >>> image = np.full((256, 256, 3), 230, np.uint8)
    >>> image[64:192, 64:192] = (90, 60, 40)
    >>> mask = foreground(image)
    >>> mask.dtype, mask.shape, bool(mask[128, 128]), bool(mask[10, 10])
    (dtype('bool'), (256, 256), True, False)
    >>> bool(foreground(np.full((256, 256), 0.5)).all())
    True
    """
    return foreground_of(as_normal_image(image, data_range, warns=True)) > 0
