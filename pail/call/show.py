"""Labeled panels that show a result, for example in a notebook. They are drawn with Pillow only."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from pail.core.checks import as_number
from pail.core.image import as_normal_image
from pail.core.mask import as_mask
from pail.pixels.panels import Shades, crop_around, difference, fit, outline, shades, to_display
from pail.types import DataRangeLike

GAP, HEAD = 8, 22  # pixels: between panels, and height of the labels above them
PAPER, INK = "#ffffff", "#16191d"


def show(i_n: Any, i_a: Any, m_a: Any, *, side: int = 256, data_range: DataRangeLike | None = None) -> Image.Image:
    """Show one insertion in labeled panels: the normal and the
    pseudo-anomalous image, the mask, the enlarged anomaly, and the
    difference.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of the same shape and
        dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly; its outline is drawn on the
        pseudo-anomalous image.
    side : int, default 256
        Pixels of the longer side of a panel, 32 to 4096.
    data_range : float, (float, float) or "auto", optional
        As for `Anomaly_Insertion`. A window of values is displayed from
        black to white; "auto" uses the window of `i_n`. Without a window,
        images with more than 8 bits are stretched to the range of values in
        `i_n`.

    Returns
    -------
    PIL.Image.Image
        The panels next to each other, in RGB. A notebook displays it,
        ``.show()`` opens a window, and ``.save()`` writes a file.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an image or mask, or the images do not fit
        each other.

    Examples
    --------
    >>> import numpy as np
    >>> import pail
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> i_a, m_a = pail.Anomaly_Insertion(rng=0).random_perturbation(image)
    >>> pail.show(image, i_a, m_a).size
    (1312, 278)
    """
    side = int(as_number("side", side, 32, 4096, integer=True))
    image = as_normal_image(i_n, data_range, "i_n")
    window = image.window
    normal = image.pixels
    changed = as_normal_image(i_a, window[:2] if window.clips else data_range, "i_a").pixels
    if normal.shape != changed.shape or normal.dtype != changed.dtype:
        raise ValueError(
            f"`i_a` must have the shape and dtype of `i_n`, {normal.shape} {normal.dtype}, "
            f"got {changed.shape} {changed.dtype}"
        )
    mask = as_mask("m_a", m_a, normal.shape[:2])
    limits = Shades(*window[:2]) if window.clips else shades(normal, changed)
    return _row(
        {
            "normal": fit(to_display(normal, limits), side),
            **_close(changed, mask, limits, side),
            "difference": fit(difference(normal, changed, limits), side),
        }
    )


def _close(image: np.ndarray, mask: np.ndarray, limits: Shades, side: int) -> dict[str, np.ndarray]:
    """The panels that need no normal image."""
    shown, crop = to_display(image, limits), crop_around(mask)
    whole = fit(shown, side)
    return {
        "pseudo-anomalous": outline(whole, mask, crop),
        "mask": fit(np.repeat(mask[..., None], 3, axis=2), side),
        "framed part": fit(shown[crop], whole.shape[0]),
    }


def _row(panels: dict[str, np.ndarray]) -> Image.Image:
    """The panels next to each other, each below its label."""
    from PIL import ImageDraw, ImageFont  # imported here, because this would take a tenth of the time of `import pail`

    height = max(panel.shape[0] for panel in panels.values())
    width = sum(panel.shape[1] + GAP for panel in panels.values()) - GAP
    row = Image.new("RGB", (width, HEAD + height), PAPER)
    pen, font, left = ImageDraw.Draw(row), ImageFont.load_default(13), 0
    for name, panel in panels.items():
        pen.text((left, 3), name, INK, font)
        row.paste(Image.fromarray(panel), (left, HEAD))
        left += panel.shape[1] + GAP
    return row


def png_of(i_a: np.ndarray, m_a: np.ndarray, side: int = 256) -> bytes:
    """A result as PNG: the image with the outline of the mask, the mask, and the enlarged anomaly."""
    file = io.BytesIO()
    _row(_close(i_a, m_a.reshape(m_a.shape[:2]), shades(i_a), side)).save(file, "PNG")
    return file.getvalue()
