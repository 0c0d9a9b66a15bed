"""Image files as arrays and back: every depth kept, EXIF rotation honoured, broken files refused."""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2")
FORMATS = ("png", "tiff", "jpg", "bmp")
MOST_PIXELS = 2 * 89_478_485  # where Pillow, too, takes an image for a decompression bomb
ORIENTATION = 0x0112  # EXIF
TAIL = 65_536  # bytes at the end of a file in which its end marker has to stand
TURNS = {  # EXIF orientation: what np.rot90 and a mirror have to do
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (3, False),
    7: (3, True),
    8: (1, False),
}


class UnreadableError(ValueError):
    """A file that is no whole image."""


def decode(data: bytes, *, page: int = 0, max_pixels: int | None = MOST_PIXELS) -> np.ndarray:
    """The pixels of an image file: (H, W) or (H, W, C), RGB before alpha, uint8, uint16 or float32."""
    orientation = _check(data, max_pixels)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    if page:
        found, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), flags, range=(page, page + 1))
        if not found:
            raise UnreadableError(f"page {page + 1} cannot be read")
        pixels = pages[0]
    else:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # type: ignore[assignment]
    if pixels is None:
        pixels = _through_pillow(data)
    elif pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    turns, mirrored = TURNS.get(orientation, (0, False))
    if mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, turns))


def count_pages(file: bytes | str) -> int:
    """How many images a file, its bytes or its path, holds; 1 of one that cannot be read."""
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # whatever a broken file makes Pillow raise: it is named when it is read
        return 1


def _check(data: bytes, max_pixels: int | None) -> int:
    """The EXIF orientation of a file that looks whole: only the header is read, and the end is looked at."""
    if not data:
        raise UnreadableError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind, orientation = _header(data, max_pixels)
    except UnreadableError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableError(str(error)) from error
    except Exception as error:  # Pillow's readers raise whatever a broken header makes them raise
        text = "no image that Pillow knows" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise UnreadableError(text) from error
    if kind == "JPEG" and data.rfind(b"\xff\xd9", max(_scan(data), len(data) - TAIL)) < 0:
        raise UnreadableError("the file is truncated")
    return orientation


def _scan(data: bytes) -> int:
    """Where the pixels of a JPEG begin: a thumbnail before them has an end marker of its own."""
    place = 2
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def _header(data: bytes, max_pixels: int | None) -> tuple[str | None, int]:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        if max_pixels is not None and width * height > max_pixels:
            raise UnreadableError(f"{width} x {height} pixels are more than {max_pixels}; `max_pixels` sets the limit")
        kind = image.format
        if kind == "PNG":
            image.verify()  # walks the chunks and their checksums, decodes nothing; the image cannot be used after
            if b"eXIf" not in data:
                return kind, 1
            with Image.open(io.BytesIO(data)) as again:
                return kind, again.getexif().get(ORIENTATION, 1)
        orientation = image.getexif().get(ORIENTATION, 1)
        return kind, 1 if kind == "TIFF" else orientation  # OpenCV turns TIFF itself


def _through_pillow(data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            known = image.mode in ("L", "LA", "RGB", "RGBA", "I;16", "F")
            return np.asarray(image if known else image.convert("RGB"))
    except Exception as error:
        raise UnreadableError(f"the pixels cannot be read: {error}") from error


def encode(pixels: np.ndarray, kind: str, compression: int) -> bytes:
    """An image file. PNG and TIFF hold 16 bits, TIFF floats; `compression` is PNG's level, 0 to 9."""
    if kind in ("jpg", "bmp") and pixels.dtype != np.uint8:
        raise ValueError(f"`format` must be 'png' or 'tiff' for {pixels.dtype} images, got {kind!r}")
    if kind == "png" and pixels.dtype.kind == "f":
        raise ValueError(f"`format` must be 'tiff' for {pixels.dtype} images, got {kind!r}")
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
    parameters = [cv2.IMWRITE_PNG_COMPRESSION, compression] if kind == "png" else []
    whole, data = cv2.imencode(f".{kind}", pixels, parameters)
    if not whole:
        raise ValueError(f"`format` {kind!r} cannot hold an image of shape {pixels.shape} and dtype {pixels.dtype}")
    return data.tobytes()
