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
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    holders = _holders(pixels.dtype, channels, alpha=alpha)
    if kind not in holders:
        names = " or ".join(", ".join(repr(name) for name in holders).rsplit(", ", 1))
        raise ValueError(f"`format` must be {names} for {pixels.dtype} images with {channels} channels, got {kind!r}")
    if channels not in (1, 3, 4):
        return _encode_bands(pixels, kind, compression, alpha=alpha)
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


def _holders(dtype: np.dtype, channels: int, *, alpha: bool) -> tuple[str, ...]:
    """The formats that can represent such images."""
    if dtype.kind == "f" or channels > 4 or (channels == 2 and not (alpha and dtype == np.uint8)):
        return ("tiff",)
    if dtype != np.uint8 or channels == 2:
        return ("png", "tiff")
    return ("png", "tiff", "bmp") if channels == 4 else FORMATS  # OpenCV would drop the fourth in a JPEG


def _encode_bands(pixels: np.ndarray, kind: str, compression: int, *, alpha: bool) -> bytes:
    """Encode two channels, or more than four, which OpenCV does not write."""
    memory = io.BytesIO()
    if kind == "png":  # gray and alpha
        Image.fromarray(pixels).save(memory, "PNG", compress_level=compression)
        return memory.getvalue()
    import tifffile  # imported here, because only these images need it

    extra = [2 if alpha and pixels.shape[2] == 2 else 0] * (pixels.shape[2] - 1)  # 2: unassociated alpha
    tifffile.imwrite(memory, pixels, photometric="minisblack", planarconfig="contig", extrasamples=extra, metadata=None)
    return memory.getvalue()
