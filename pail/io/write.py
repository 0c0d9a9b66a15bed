"""Write arrays as image files."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

FORMATS = ("png", "tiff", "jpg", "bmp")
NO_COMPRESSION = 1  # of TIFF


def encode(pixels: np.ndarray, kind: str, compression: int, *, alpha: bool = False) -> bytes:
    """Encode an image file in memory.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, C)
        RGB before alpha.
    kind : {"png", "tiff", "jpg", "bmp"}
        PNG and TIFF support 16 bits; only TIFF supports floats and any number of channels.
    compression : int
        Compression level of PNG, 0 to 9.
    alpha : bool, default False
        Whether the last of two channels is alpha. The last of four always counts as alpha.

    Raises
    ------
    ValueError
        If the format cannot represent such an image.
    """
    if kind in ("jpg", "bmp") and pixels.dtype != np.uint8:
        raise ValueError(f"`format` must be 'png' or 'tiff' for {pixels.dtype} images, got {kind!r}")
    if kind == "png" and pixels.dtype.kind == "f":
        raise ValueError(f"`format` must be 'tiff' for {pixels.dtype} images, got {kind!r}")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in (1, 3, 4):
        return _encode_bands(pixels, kind, compression, alpha=alpha)
    if kind == "jpg" and channels == 4:  # OpenCV would drop the fourth
        raise ValueError(f"`format` must be 'png', 'tiff' or 'bmp' for images with 4 channels, got {kind!r}")
    if channels == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.dtype != np.float64 else pixels[..., ::-1].copy()
    elif channels == 4:
        pixels = (
            cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
            if pixels.dtype != np.float64
            else np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])
        )
    parameters = [cv2.IMWRITE_PNG_COMPRESSION, compression] if kind == "png" else []
    if pixels.dtype.kind == "f":  # chosen here, because older versions of OpenCV use a lossy one for float32 in color
        parameters = [cv2.IMWRITE_TIFF_COMPRESSION, NO_COMPRESSION]
    whole, data = cv2.imencode(f".{kind}", pixels, parameters)
    if not whole:
        raise ValueError(
            f"`format` {kind!r} cannot represent an image of shape {pixels.shape} and dtype {pixels.dtype}"
        )
    return data.tobytes()


def _encode_bands(pixels: np.ndarray, kind: str, compression: int, *, alpha: bool) -> bytes:
    """Encode two channels, or more than four, which OpenCV does not write."""
    memory = io.BytesIO()
    if kind == "png" and alpha and pixels.shape[2] == 2 and pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(memory, "PNG", compress_level=compression)
        return memory.getvalue()
    if kind != "tiff":
        raise ValueError(
            f"`format` must be 'tiff' for {pixels.dtype} images with {pixels.shape[2]} channels, got {kind!r}"
        )
    import tifffile  # imported here, because only these images need it

    extra = [2 if alpha and pixels.shape[2] == 2 else 0] * (pixels.shape[2] - 1)  # 2: unassociated alpha
    tifffile.imwrite(memory, pixels, photometric="minisblack", planarconfig="contig", extrasamples=extra, metadata=None)
    return memory.getvalue()
