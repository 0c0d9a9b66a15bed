"""Read image files as arrays. The bit depth is kept, EXIF rotation is applied, and broken files raise an error that
names them."""

from __future__ import annotations

import io
import mmap
import os
import stat
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from pail.io import pil

File = bytes | str | os.PathLike[str]
Buffer = Any  # bytes, or a file that is mapped into memory
MAX_PIXELS = 2 * 89_478_485  # the limit above which Pillow, too, treats an image as a decompression bomb
DTYPES = ("uint8", "uint16", "float32", "float64")
ORIENTATION = 0x0112  # EXIF and TIFF
TURNS = {  # EXIF orientation: arguments of np.rot90, and whether to mirror
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (3, False),
    7: (3, True),
    8: (1, False),
}
PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NPY = b"\x93NUMPY"
GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA = 0, 4, 3, 2, 6  # color types of PNG
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of JPEG that begin a frame
BY_OPENCV = ("PPM", "JPEG2000", "BMP", "DIB", "WEBP")
BANDS = {"L": (), "I": (), "I;16": (), "RGB": (3,), "RGBA": (4,)}  # the last axis of an array for a mode of Pillow
UNREGISTERED = ("EPS",)  # would run an external program on the file
MAX_CHANNELS = 16  # as for arrays; a broken header may contain any number
MOST_PAGES_LOOKED_AT = 64  # to find reduced copies; files with more pages are stacks, which have none
MASK_DOUBT = 0.01  # share of a mask's pixels that may lie between clearly false and clearly true
BINARY = 0.99  # share of the pixels of a mask that are close to one of its two values
CLEARLY = 0.1  # of the range: largest distance of such a pixel from either end


class UnreadableError(ValueError):
    """A file that is not a complete image, or contains pixels of an unsupported type."""


@dataclass(frozen=True)
class Picture:
    """A decoded image file.

    Attributes
    ----------
    pixels : ndarray of shape (H, W) or (H, W, C)
        uint8, uint16, float32 or float64, contiguous, RGB before alpha.
    alpha : bool
        Whether the last channel is alpha: always the fourth of four, as in arrays, and the second of two if the file
        says so.
    pages : int
        Number of pages of the file.
    kind : str
        The format, such as "png" or "tiff".
    """

    pixels: np.ndarray
    alpha: bool
    pages: int
    kind: str


@dataclass(frozen=True)
class _Header:
    """The contents of a header."""

    kind: str
    height: int  # as stored, before the rotation
    width: int
    orientation: int = 1
    channels: int = 0  # number of channels of a JPEG; color type of a PNG
    scan: int = 0  # offset at which the pixels of a JPEG begin


def decode(file: File, *, page: int = 0, max_pixels: int | None = MAX_PIXELS) -> np.ndarray:
    """The pixels of an image file: (H, W) or (H, W, C), RGB before alpha; see `read_picture`."""
    return read_picture(file, page=page, max_pixels=max_pixels).pixels


def read_picture(file: File, *, page: int = 0, max_pixels: int | None = MAX_PIXELS, name: str | None = None) -> Picture:
    """Decode an image file.

    Parameters
    ----------
    file : bytes or path
        The path, or the contents of the file.
    page : int, default 0
        Number of the page in a multi-page TIFF file, from 0.
    max_pixels : int, optional
        Images with more pixels are refused before they are decoded; None accepts any size.
    name : str, optional
        The name of the file, for a UserWarning if the file has more pages than the one that is read.

    Raises
    ------
    UnreadableError
        If the file is missing, truncated, too large or not an image, or has a dtype other than uint8, uint16, float16
        (which becomes float32), float32 and float64.
    """
    data = _bytes_of(file)
    try:
        picture = _read(data, page, max_pixels)
    except UnreadableError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # readers may raise any error for a broken file
        raise UnreadableError(f"the pixels cannot be read: {error}") from error
    if name is not None and page == 0 and picture.pages > 1:
        warnings.warn(f"{name} has {picture.pages} pages, of which the first is read", UserWarning, stacklevel=2)
    return picture


def count_pages(file: File) -> int:
    """Number of pages of an image file that `read_picture` accepts: one, except for TIFF."""
    data = _bytes_of(file)
    if data[:4] not in TIFF:
        return 1
    with _opened_tiff(data) as tiff:
        return len(_pages(tiff))


def read_size(file: str | os.PathLike[str], *, page: int = 0, max_pixels: int | None = MAX_PIXELS) -> tuple[int, int]:
    """Height and width according to the header, after EXIF rotation. The pixels are not decoded."""
    try:
        with _regular(file).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = _header(data, page)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(_why(error)) from error
    _check_size(header, max_pixels)
    return (header.width, header.height) if header.orientation >= 5 else (header.height, header.width)


def looks_like_mask(pixels: np.ndarray) -> bool:
    """Whether an image contains only two values, with a tolerance for JPEG compression."""
    values = pixels.reshape(*pixels.shape[:2], -1)[..., :3].astype(np.float32)
    low, high = float(values.min()), float(values.max())
    near = np.minimum(values - low, high - values) <= CLEARLY * (high - low)
    return bool(near.mean() >= BINARY)


def read_mask(file: File, *, name: str, max_pixels: int | None = MAX_PIXELS) -> np.ndarray:
    """Decode a mask file as uint8 {0, 255} (H, W).

    A pixel is true if its value is at least half of the range: 128 of 255, 32768 of 65535, 0.5 for floats. A file that
    contains only 0 and 1, or only 0 and 255, is read as such at any bit depth. For color images the brightest channel
    counts, for palette images the colors and not the indices. Transparent pixels are false.

    Parameters
    ----------
    file : bytes or path
        The path, or the contents of the file.
    name : str
        The file's name, for messages.
    max_pixels : int, optional
        As for `read_picture`.

    Warns
    -----
    UserWarning
        If more than 1 % of the pixels are between 10 % and 90 % of the range, because the file may not be a mask.

    Raises
    ------
    UnreadableError
        As for `read_picture`.
    """
    picture = read_picture(file, max_pixels=max_pixels, name=name)
    values = picture.pixels
    top = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    opacity = values[..., -1] if picture.alpha else None
    if values.ndim == 3:
        values = values[..., : values.shape[2] - picture.alpha].max(axis=2)
    highest = values.max()
    if picture.kind != "jpeg" and highest in (1, 255) and bool(((values == 0) | (values == highest)).all()):
        top = float(highest)
    mask = values >= top / 2
    if opacity is not None:
        full = 1.0 if opacity.dtype.kind == "f" else float(np.iinfo(opacity.dtype).max)
        mask &= opacity >= full / 2
    doubtful = np.count_nonzero((values > CLEARLY * top) & (values < (1 - CLEARLY) * top)) / values.size
    if doubtful > MASK_DOUBT:
        warnings.warn(
            f"{name} may not be a mask: {doubtful:.0%} of its pixels are between {CLEARLY:.0%} and "
            f"{1 - CLEARLY:.0%} of the range 0 to {top:g}; values of at least half of it count as true",
            UserWarning,
            stacklevel=2,
        )
    return np.negative(mask.view(np.uint8))


# --------------------------------------------------------------------------------------------------------------------
# Headers


def _regular(file: str | os.PathLike[str]) -> Path:
    path = Path(file)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading from a pipe would block
            raise UnreadableError("not a regular file")
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    return path


def _bytes_of(file: File) -> bytes:
    if isinstance(file, str | os.PathLike):
        path = _regular(file)
        try:
            file = path.read_bytes()
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from error
    if not file:
        raise UnreadableError("the file is empty")
    return file


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image that OpenCV, Pillow or tifffile can read"
    if isinstance(error, ValueError) and "mmap an empty" in str(error):
        return "the file is empty"
    return str(error) or type(error).__name__


def _check_size(header: _Header, max_pixels: int | None) -> None:
    if max_pixels is not None and header.width * header.height > max_pixels:
        raise UnreadableError(
            f"{header.width} x {header.height} pixels are more than {max_pixels}; `max_pixels` sets the limit"
        )


def _header(data: Buffer, page: int = 0) -> _Header:
    start = bytes(data[:16])
    if start.startswith(PNG):
        return _png_header(data, checked=False)
    if start.startswith(b"\xff\xd8\xff"):
        return _jpeg_header(data)
    if start.startswith(NPY):
        array = np.load(io.BytesIO(bytes(data)), allow_pickle=False)
        return _Header("npy", *array.shape[:2])
    if start[:4] in TIFF:
        with _opened_tiff(data) as tiff:
            found = _page(_pages(tiff), page)
            return _Header("tiff", found.imagelength, found.imagewidth, _tiff_orientation(found))
    with _opened(data) as image:
        return _Header(str(image.format), image.height, image.width, _pil_orientation(image))


def _png_header(data: Buffer, *, checked: bool) -> _Header:
    """Read the chunks of a PNG to its end, and verify their checksums on request. Nothing is decoded.

    Pillow is not used, because it decompresses text chunks and refuses files with much text.
    """
    height = width = color = 0
    orientation, place, size = 1, len(PNG), len(data)
    while place + 12 <= size:
        length = int.from_bytes(data[place : place + 4], "big")
        kind = bytes(data[place + 4 : place + 8])
        end = place + 12 + length
        if end > size:
            break
        if checked and zlib.crc32(memoryview(data)[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise UnreadableError(f"the file is broken: the checksum of its part {kind!r} is wrong")
        if kind == b"IHDR":
            width = int.from_bytes(data[place + 8 : place + 12], "big")
            height = int.from_bytes(data[place + 12 : place + 16], "big")
            color = data[place + 17]
        elif kind == b"eXIf":
            orientation = _exif_orientation(bytes(data[place + 8 : end - 4]))
        elif kind == b"IEND":
            if width and height:
                return _Header("png", height, width, orientation, channels=color)
            break
        place = end
    raise UnreadableError("the file is truncated")


def _jpeg_header(data: Buffer) -> _Header:
    """Read the segments of a JPEG up to its pixels."""
    height = width = channels = 0
    orientation, place = 1, 2
    while data[place : place + 1] == b"\xff":
        marker = data[place + 1 : place + 2]
        if marker == b"\xff":  # a fill byte
            place += 1
            continue
        if not marker:
            break
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        inside = place + 4
        if marker[0] in FRAMES:
            height = int.from_bytes(data[inside + 1 : inside + 3], "big")
            width = int.from_bytes(data[inside + 3 : inside + 5], "big")
            channels = int.from_bytes(data[inside + 5 : inside + 6], "big")
        elif marker == b"\xe1" and orientation == 1 and data[inside : inside + 6] == b"Exif\0\0":
            orientation = _exif_orientation(bytes(data[inside : place + 2 + length]))
        if marker == b"\xda":
            if not (width and height):
                break
            return _Header("jpeg", height, width, orientation, channels, place + 2 + length)
        place += 2 + length
    raise UnreadableError("the file is truncated")


def _exif_orientation(data: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(data)
        return _as_orientation(exif.get(ORIENTATION, 1))
    except Exception:  # a broken EXIF block does not affect the pixels
        return 1


def _pil_orientation(image: Image.Image) -> int:
    try:
        return _as_orientation(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return 1


def _as_orientation(value: Any) -> int:
    return value if isinstance(value, int) and value in TURNS else 1


def _opened(data: Buffer) -> Image.Image:
    """Open an image with Pillow without decoding its pixels.

    `Image.open` is not used, because its limit of pixels is global to the process and must not be changed by a thread.
    """
    Image.init()
    start = bytes(data[:16])
    for kind in Image.ID:
        factory, accept = Image.OPEN[kind]
        accepted = accept is None or accept(start)
        if kind in UNREGISTERED or not accepted or isinstance(accepted, str):  # a str says what is missing
            continue
        try:
            return factory(io.BytesIO(bytes(data)), "")
        except (
            SyntaxError,
            IndexError,
            TypeError,
            KeyError,
        ):  # as in Image.open: another plugin may be able to read it
            continue
    raise UnidentifiedImageError("not an image that OpenCV, Pillow or tifffile can read")


# --------------------------------------------------------------------------------------------------------------------
# Pixels


def _read(data: bytes, page: int, max_pixels: int | None) -> Picture:
    start = data[:16]
    if start[:4] in TIFF:
        return _read_tiff(data, page, max_pixels)
    if page != 0:
        raise UnreadableError(f"the file has one page, so there is no page {page + 1}")
    if start.startswith(PNG):
        header = _png_header(data, checked=True)
        _check_size(header, max_pixels)
        return _picture(_png_pixels(data, header), header, alpha=header.channels == GRAY_ALPHA)
    if start.startswith(b"\xff\xd8\xff"):
        header = _jpeg_header(data)
        _check_size(header, max_pixels)
        # Usually the end marker is at the end of the file. If other data follows, the first one after the header ends
        # the pixels.
        if not data.endswith(b"\xff\xd9") and data.find(b"\xff\xd9", header.scan) < 0:
            raise UnreadableError("the file is truncated")
        pixels = _through_opencv(data) if header.channels in (1, 3) else None
        return _picture(_through_pillow(data)[0] if pixels is None else pixels, header)
    if start.startswith(NPY):
        return _read_npy(data, max_pixels)
    try:
        with _opened(data) as image:
            header = _Header(str(image.format), image.height, image.width, _pil_orientation(image))
    except Image.DecompressionBombError:  # the WebP plugin has its own limit
        pixels = _through_opencv(data)
        if pixels is None:
            raise
        header = _Header("WEBP", *pixels.shape[:2])
        _check_size(header, max_pixels)
        return _picture(pixels, header)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise UnreadableError(_why(error)) from error
    _check_size(header, max_pixels)
    # OpenCV is faster and keeps 16 bits of color, which Pillow reduces to 8. Pillow tells color and alpha apart.
    pixels = _through_opencv(data) if header.kind in BY_OPENCV else None
    if pixels is not None and pixels.shape[2:] == BANDS.get(str(pil.plain_mode(image) or image.mode)):
        return _picture(pixels, header)
    pixels, alpha = _through_pillow(data)
    return _picture(pixels, header, alpha=alpha)


def _picture(pixels: np.ndarray, header: _Header, *, alpha: bool | None = None, pages: int = 1) -> Picture:
    """The decoded pixels: rotated, checked, contiguous and in native byte order."""
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    if pixels.dtype != np.uint8 and pixels.dtype.name not in DTYPES:  # a name takes its time
        raise UnreadableError(f"{pixels.dtype} pixels are not supported ({', '.join(DTYPES)} are); convert the file")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or pixels.size == 0:
        raise UnreadableError(f"the file contains an array of shape {pixels.shape}, which is not an image")
    turns, mirrored = TURNS.get(header.orientation, (0, False))
    if mirrored:
        pixels = pixels[:, ::-1]
    pixels = np.rot90(pixels, turns) if turns else pixels
    pixels = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    four = pixels.ndim == 3 and pixels.shape[2] == 4
    return Picture(pixels, four or bool(alpha), pages, header.kind.lower())


def _png_pixels(data: bytes, header: _Header) -> np.ndarray:
    pixels = _through_opencv(data)
    if pixels is None:
        return _through_pillow(data)[0]
    if header.channels == GRAY_ALPHA:
        return pixels[..., [0, 3]] if pixels.ndim == 3 else pixels
    if header.channels == GRAY:  # a single transparent gray value is not an alpha channel, neither in Pillow
        return pixels if pixels.ndim == 2 else pixels[..., 0]
    return pixels[..., :3] if header.channels == RGB else pixels


def _through_opencv(data: bytes) -> np.ndarray | None:
    """The pixels as read by OpenCV, RGB before alpha; None if it cannot read them."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or pixels.ndim == 2:
        return pixels
    if pixels.dtype == np.float64:  # which cvtColor does not support
        return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _through_pillow(data: bytes) -> tuple[np.ndarray, bool]:
    """The pixels as read by Pillow, and whether the last channel is alpha."""
    with _opened(data) as image:
        try:
            return pil.to_array("file", image)
        except TypeError as error:
            kind = pil.UNSUPPORTED.get(image.mode, f"PIL mode {image.mode}")
            raise UnreadableError(f"{kind} pixels are not supported ({', '.join(DTYPES)} are); convert it") from error


def _read_npy(data: bytes, max_pixels: int | None) -> Picture:
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.ndim not in (2, 3):
        raise UnreadableError(f"the file contains an array of shape {array.shape}; (H, W) and (H, W, C) are images")
    header = _Header("npy", *array.shape[:2])
    _check_size(header, max_pixels)
    return _picture(array, header)


# --------------------------------------------------------------------------------------------------------------------
# TIFF


def _opened_tiff(data: Buffer) -> Any:
    import tifffile  # slow to import, and most files have other formats

    try:
        return tifffile.TiffFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except Exception as error:
        raise UnreadableError(f"the file is truncated or not a TIFF: {error}") from error


def _pages(tiff: Any) -> list[Any]:
    """The pages that are separate images, without thumbnails and smaller copies."""
    count = len(tiff.pages)
    if count == 0:
        raise UnreadableError("the file is truncated: it has no page")
    if not 1 < count <= MOST_PAGES_LOOKED_AT:
        pages: list[Any] = tiff.pages
        return pages
    whole = [page for page in tiff.pages if not (page.subfiletype & 0b101)]  # reduced copy, transparency mask
    return whole or [tiff.pages[0]]


def _page(pages: Any, index: int) -> Any:
    if not 0 <= index < len(pages):
        raise UnreadableError(f"the file has {len(pages)} pages, so there is no page {index + 1}")
    return pages[index]


def _tiff_orientation(page: Any) -> int:
    tag = page.tags.get(ORIENTATION)
    return _as_orientation(tag.value if tag is not None else 1)


def _read_tiff(data: bytes, index: int, max_pixels: int | None) -> Picture:
    """Read a TIFF with tifffile, which keeps every dtype and number of bands, or with Pillow or OpenCV if tifffile does
    not support its compression."""
    with _opened_tiff(data) as tiff:
        pages = _pages(tiff)
        count, page = len(pages), _page(pages, index)
        header = _Header("tiff", page.imagelength, page.imagewidth, _tiff_orientation(page))
        _check_size(header, max_pixels)
        if page.samplesperpixel > MAX_CHANNELS:
            raise UnreadableError(f"{page.samplesperpixel} channels are more than {MAX_CHANNELS}")
        if any(start + length > len(data) for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise UnreadableError("the file is truncated")
        dtype = None if page.dtype is None else np.dtype(page.dtype)
        if dtype is not None and dtype.name not in ("bool", "float16", *DTYPES):
            raise UnreadableError(f"{dtype} pixels are not supported ({', '.join(DTYPES)} are); convert the file")
        has_alpha = page.samplesperpixel == 2 and bool(page.extrasamples) and int(page.extrasamples[-1]) in (1, 2)
        pixels = _tiff_array(page) if _is_plain(page) else None
        if pixels is None:
            pixels, has_alpha = _tiff_elsewhere(_only(data, tiff, page), page, dtype, has_alpha)
        return _picture(pixels, header, alpha=has_alpha, pages=count)


def _is_plain(page: Any) -> bool:
    """Whether the stored numbers are the pixel values: gray or RGB, not premultiplied by alpha, in whole bytes."""
    if page.samplesperpixel == 4 and page.bitspersample == 8 and 1 in page.extrasamples:
        return False
    return page.photometric.name in ("MINISWHITE", "MINISBLACK", "RGB") and page.bitspersample in (1, 8, 16, 32, 64)


def _tiff_array(page: Any) -> np.ndarray | None:
    """The page as (H, W) or (H, W, C); None if tifffile needs another package for the compression."""
    try:
        pixels: np.ndarray = page.asarray()
    except (ValueError, KeyError) as error:
        if "imagecodecs" in str(error):
            return None
        raise
    axes = page.axes
    if axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    elif axes not in ("YX", "YXS"):
        raise UnreadableError(f"the file contains an array of shape {pixels.shape}, which is not an image")
    if pixels.dtype == np.bool_:
        pixels = np.negative(pixels.view(np.uint8))
    if page.photometric.name == "MINISWHITE" and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    return pixels


def _only(data: bytes, tiff: Any, page: Any) -> bytes:
    """The file with that page as the first and without rotation, for readers that read only the first page and may
    rotate it."""
    changed = bytearray(data)
    order = "<" if tiff.byteorder == "<" else ">"
    place, kind = (8, f"{order}u8") if tiff.is_bigtiff else (4, f"{order}u4")
    offset = np.array(page.offset, kind).tobytes()
    changed[place : place + len(offset)] = offset
    tag = page.tags.get(ORIENTATION)
    if tag is not None:
        changed[tag.valueoffset : tag.valueoffset + 2] = np.array(1, f"{order}u2").tobytes()
    return bytes(changed)


def _tiff_elsewhere(data: bytes, page: Any, dtype: np.dtype | None, has_alpha: bool) -> tuple[np.ndarray, bool]:
    channels = page.samplesperpixel
    by_opencv = _is_plain(page) and channels in (1, 3, 4) and dtype is not None and dtype.itemsize > 1
    pixels = _through_opencv(data) if by_opencv else None
    if pixels is not None and pixels.dtype == dtype:
        return pixels, has_alpha
    if _is_plain(page) and (channels > 4 or (dtype is not None and dtype.itemsize > 1 and channels > 1)):
        raise UnreadableError(
            f"{channels} channels of {dtype} with the compression {page.compression.name} need another package: "
            "pip install imagecodecs"
        )
    return _through_pillow(data)
