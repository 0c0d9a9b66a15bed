"""Image files and PIL images: listed, read, written and converted by one set of rules."""

import io
import json
import logging
import os
import struct
import threading
import warnings
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from common import as_type, photograph
from PIL import Image

import pail
from pail import pai
from pail.core.image import as_pixels
from pail.io import pil
from pail.io.listing import list_images
from pail.io.read import UnreadableError, count_pages, decode, read_mask, read_picture, read_size
from pail.io.write import encode
from pail.reading import Images, drawn_source

SHAPE = (40, 52)
PHOTO = photograph(*SHAPE)
ALPHA = (np.arange(PHOTO[..., 0].size).reshape(SHAPE) % 200 + 20).astype(np.uint8)
EXIF_TURNED = Image.Exif()
EXIF_TURNED[0x0112] = 6


def saved(image, kind, **keywords):
    memory = io.BytesIO()
    image.save(memory, kind, **keywords)
    return memory.getvalue()


def tiff(array, **keywords):
    memory = io.BytesIO()
    keywords.setdefault("photometric", "rgb" if array.ndim == 3 and array.shape[2] in (3, 4) else "minisblack")
    if array.ndim == 3:
        keywords.setdefault("planarconfig", "contig")
    tifffile.imwrite(memory, array, metadata=None, **keywords)
    return memory.getvalue()


def npy(array):
    memory = io.BytesIO()
    np.save(memory, array)
    return memory.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pil_image(mode):
    if mode in ("I;16", "I;16B"):
        deep = as_type(PHOTO[..., 0], "uint16")
        return Image.frombytes(mode, SHAPE[::-1], deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    if mode == "F":
        return Image.fromarray(as_type(PHOTO[..., 0], "float32"))
    image = Image.fromarray(PHOTO)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(ALPHA))
    if mode == "P with transparency":
        image = image.convert("P")
        image.info["transparency"] = 3
        return image
    return image if image.mode == mode else image.convert(mode)


# One table for arrays, PIL images and files


FILES = {  # mode: formats that keep it
    "1": ("PNG", "TIFF", "BMP", "PPM"),
    "L": ("PNG", "TIFF", "BMP", "PPM", "JPEG2000"),
    "LA": ("PNG", "TIFF", "JPEG2000"),
    "P": ("PNG", "TIFF", "BMP", "GIF"),
    "P with transparency": ("PNG", "GIF"),
    "RGB": ("PNG", "TIFF", "BMP", "PPM", "WEBP", "JPEG2000"),
    "RGBA": ("PNG", "TIFF", "WEBP", "JPEG2000"),
    "CMYK": ("TIFF",),
    "YCbCr": ("TIFF",),
    "LAB": ("TIFF",),
    "F": ("TIFF",),
    "I;16": ("PNG", "TIFF", "JPEG2000"),
    "I;16B": ("TIFF",),
}


def same_everywhere(image, data, array, alpha):
    """File, PIL image and array have the same pixels, and give the same good and anomalous images."""
    picture = read_picture(data)
    assert picture.pixels.dtype == array.dtype and np.array_equal(picture.pixels, array)
    assert picture.alpha == alpha
    expected = pai.Anomaly_Insertion(alpha=True if alpha else None).insert(array, rng=5)
    made = [pai.Anomaly_Insertion(alpha=True if picture.alpha else None).insert(picture.pixels, rng=5)]
    if image is not None:
        made.append(pai.Anomaly_Insertion().insert(image, rng=5))
    for other in made:
        assert np.array_equal(expected.i_a, other.i_a) and np.array_equal(expected.m_a, other.m_a)
    if alpha:
        assert np.array_equal(expected.i_a[..., -1], array[..., -1])


@pytest.mark.parametrize(("mode", "kind"), [(mode, kind) for mode, kinds in FILES.items() for kind in kinds])
def test_pil_image_file_and_array_are_one(mode, kind):
    image = pil_image(mode)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = saved(image, kind, **options)
    array, alpha = as_pixels("image", image)
    if mode == "YCbCr":
        try:
            Image.open(io.BytesIO(data)).load()
        except OSError:
            pytest.skip("this Pillow cannot read its own file")
    if kind == "GIF":  # has a palette of its own
        with Image.open(io.BytesIO(data)) as again:
            image = again.copy()
        array, alpha = as_pixels("image", image)
    same_everywhere(image, data, array, alpha)


@pytest.mark.parametrize("kind", ["TIFF", "NPY"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", ">u2", ">f4"])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4, 5, 16])
def test_array_and_file_are_one(channels, dtype, kind):
    base = np.concatenate([photograph(*SHAPE, seed) for seed in range(6)], axis=2)
    array = as_type(base[..., 0] if channels is None else base[..., :channels], dtype)
    expected = array[..., 0] if channels == 1 else array
    data = tiff(expected) if kind == "TIFF" else npy(array)
    same_everywhere(None, data, expected.astype(expected.dtype.newbyteorder("=")), channels == 4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_what_is_written_is_read_again(channels, dtype):
    array = as_type(np.concatenate([PHOTO] * 3, axis=2)[..., :channels], dtype)
    array = array[..., 0] if channels == 1 else array
    for alpha in (False, True) if channels == 2 else (False,):
        picture = read_picture(encode(array, "tiff", 1, alpha=alpha))
        assert np.array_equal(picture.pixels, array) and picture.pixels.dtype == array.dtype
        assert picture.alpha == (alpha or channels == 4)
    if np.dtype(dtype).kind == "u" and channels in (1, 3, 4):
        assert np.array_equal(decode(encode(array, "png", 1)), array)
    if dtype == "uint8" and channels == 2:
        assert read_picture(encode(array, "png", 1, alpha=True)).alpha
        assert np.array_equal(decode(encode(array, "png", 1, alpha=True)), array)
    if channels in (2, 7):
        for kind in ("png", "jpg", "bmp"):
            with pytest.raises(ValueError, match="`format` must be"):
                encode(array, kind, 1)


def test_half_floats_are_read_as_floats():
    half = as_type(PHOTO, "float32").astype(np.float16)
    for data in (tiff(half), npy(half)):
        assert decode(data).dtype == np.float32 and np.array_equal(decode(data), half.astype(np.float32))


def test_jpeg_of_four_inks_is_what_pillow_makes_of_it():
    data = saved(pil_image("CMYK"), "JPEG")
    assert np.array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_a_gray_or_color_that_stands_for_transparent_is_no_alpha():
    for image, transparent in ((pil_image("L"), 9), (pil_image("RGB"), (1, 2, 3))):
        data = saved(image, "PNG", transparency=transparent)
        assert np.array_equal(decode(data), np.asarray(image))
        assert np.array_equal(decode(data), as_pixels("image", Image.open(io.BytesIO(data)))[0])


def test_sixteen_bit_gray_and_alpha_png():
    deep = as_type(PHOTO[..., 0], "uint16")
    rows = b"".join(b"\0" + np.dstack([line, line[::-1]]).astype(">u2").tobytes() for line in deep)
    head = struct.pack(">IIBBBBB", SHAPE[1], SHAPE[0], 16, 4, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    picture = read_picture(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))
    assert picture.alpha and np.array_equal(picture.pixels, np.dstack([deep, deep[:, ::-1]]))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "int64", "uint64", "complex64"])
def test_other_dtypes_are_refused_by_name(dtype, tmp_path):
    gray = PHOTO[..., 0].astype(dtype)
    for array in (gray, np.dstack([gray] * 3)):
        for data in (tiff(array), npy(array)):
            with pytest.raises(UnreadableError, match=dtype):
                decode(data)
    with pytest.raises(TypeError, match=dtype):
        pai.Anomaly_Insertion().insert(gray)


def test_other_arrays_are_refused_by_name():
    for array, words in (
        (PHOTO > 3, "bool"),
        (np.array([[None]]), "cannot be read"),
        (np.zeros((2, 3, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
    ):
        with pytest.raises(UnreadableError, match=words):
            decode(npy(array))
    with pytest.raises(TypeError, match="int32"):
        pai.Anomaly_Insertion().insert(Image.new("I", (9, 9)))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_compressions_of_tiff(mode, compression):
    image = pil_image(mode)
    data = saved(image, "TIFF", compression=compression)
    assert np.array_equal(decode(data), as_pixels("image", image)[0])


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_deep_color_with_lzw(dtype):
    """OpenCV writes this by default, and tifffile cannot read it without another package."""
    color = as_type(PHOTO, dtype)
    whole, data = cv2.imencode(".tiff", color[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert whole and np.array_equal(decode(data.tobytes()), color)


def test_planes_and_white_that_is_zero():
    assert np.array_equal(
        decode(tiff(np.moveaxis(PHOTO, 2, 0).copy(), photometric="rgb", planarconfig="separate")), PHOTO
    )
    for dtype in ("uint8", "uint16"):
        gray = as_type(PHOTO[..., 0], dtype)
        assert np.array_equal(decode(tiff(np.iinfo(dtype).max - gray, photometric="miniswhite")), gray)


@pytest.mark.parametrize("writer", ["tifffile", "opencv"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiff_is_turned_once(dtype, writer):
    """Independent of whether the reader of the file rotates it."""
    color = as_type(PHOTO, dtype)
    data = tiff(color, extratags=[(274, "H", 1, 6, True)])
    if writer == "opencv":  # it writes no orientation: that of the planes, which is the default, makes room for one
        written = cv2.imencode(".tiff", color[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes()
        with tifffile.TiffFile(io.BytesIO(written)) as file:
            tag, order = file.pages[0].tags[284], file.byteorder
        changed = bytearray(written)
        changed[tag.offset : tag.offset + 2] = struct.pack(f"{order}H", 274)
        changed[tag.valueoffset : tag.valueoffset + 2] = struct.pack(f"{order}H", 6)
        data = bytes(changed)
    assert np.array_equal(decode(data), np.rot90(color, 3))


def test_orientations_are_pillows():
    from PIL import ImageOps

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for kind in ("TIFF", "PNG"):
            buffer = io.BytesIO()
            Image.fromarray(photograph(9, 14)).save(buffer, kind, exif=exif)
            with Image.open(io.BytesIO(buffer.getvalue())) as image:
                expected = np.asarray(ImageOps.exif_transpose(image))
            assert np.array_equal(decode(buffer.getvalue()), expected), (orientation, kind)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (2, True), (2, False), (3, False), (4, True), (5, False)])
def test_a_format_that_cannot_hold_an_image_names_those_that_can(dtype, channels, alpha):
    image = np.random.default_rng(0).integers(0, 200, (40, 50, channels)) / 200
    image = (image if dtype.startswith("float") else image * np.iinfo(dtype).max).astype(dtype)
    image = image[..., 0] if channels == 1 else image
    refused, held = {}, set()
    for kind in ("png", "tiff", "jpg", "bmp"):
        try:
            data = encode(image, kind, 1, alpha=alpha)
        except ValueError as error:
            refused[kind] = str(error)
        else:
            held.add(kind)
            picture = read_picture(data)
            assert picture.pixels.dtype == dtype and picture.pixels.shape == image.shape and picture.alpha == alpha
            assert kind == "jpg" or np.array_equal(picture.pixels, image), kind
    assert "tiff" in held
    for kind, message in refused.items():
        start, _, rest = message.partition(" for ")
        assert start.startswith("`format` must be ") and f"got {kind!r}" in rest
        assert {name for name in ("png", "tiff", "jpg", "bmp") if f"'{name}'" in start} == held, (kind, message)


def test_no_format_leaves_a_channel_out(tmp_path):
    """JPEG has no fourth channel: such an image is skipped by name, and none enters a set without its alpha."""
    four = np.dstack([photograph(40, 50), np.arange(2000, dtype=np.uint8).reshape(40, 50)])
    for kind in ("png", "tiff", "bmp"):
        assert np.array_equal(decode(encode(four, kind, 1)), four), kind
    with pytest.raises(ValueError, match="`format` must be 'png', 'tiff' or 'bmp' for uint8 images with 4 channels"):
        encode(four, "jpg", 1)
    (tmp_path / "in").mkdir()
    Image.fromarray(four).save(tmp_path / "in" / "alpha.png")
    Image.fromarray(photograph(40, 50)).save(tmp_path / "in" / "plain.png")
    summary = pail.generate(tmp_path / "in", tmp_path / "set", number=4, layout="flat", format="jpg", workers=1)
    assert [entry["file"] for entry in summary.skipped] == ["alpha.png"] and summary.anomalies == 4
    assert "4 channels" in summary.skipped[0]["reason"]


def test_what_is_no_image_is_refused():
    for data in (b"", b"x" * 100, cv2.imencode(".png", photograph(9, 9))[1].tobytes()[:-30]):
        with pytest.raises(UnreadableError):
            decode(data)


# Whole and broken files


def test_a_jpeg_with_much_behind_its_end():
    data = saved(Image.fromarray(PHOTO), "JPEG", quality=95)
    for tail in (b"\0" * 70_000, os.urandom(300_000), saved(Image.fromarray(PHOTO[:20]), "JPEG") * 90):
        assert np.array_equal(decode(data + tail), decode(data))
    with pytest.raises(UnreadableError, match="truncated"):
        decode(data[:-40])


def test_a_png_with_much_compressed_text():
    data = saved(Image.fromarray(PHOTO), "PNG")
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 2_000_000))
    start = 8 + 25  # signature and header
    large = data[:start] + text + data[start:]
    assert np.array_equal(decode(large), PHOTO)
    with pytest.raises(UnreadableError, match="truncated"):
        decode(large[:-20])
    broken = bytearray(data)
    broken[len(data) // 2] ^= 255
    with pytest.raises(UnreadableError, match="checksum"):
        decode(bytes(broken))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95, 0.995])
@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "progressive", "TIFF", "LZW", "BMP", "WEBP", "PPM", "JPEG2000", "GIF", "NPY"]
)
def test_truncated_files_are_refused(kind, share):
    image = Image.fromarray(PHOTO)
    if kind == "NPY":
        data = npy(PHOTO)
    elif kind == "progressive":
        data = saved(image, "JPEG", progressive=True)
    elif kind == "LZW":
        data = saved(image, "TIFF", compression="tiff_lzw")
    else:
        data = saved(image, kind)
    assert decode(data).shape == PHOTO.shape
    logging.getLogger("tifffile").disabled = True
    with pytest.raises(UnreadableError):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "NPY"])
def test_nothing_but_unreadable_is_raised(kind):
    """Every error of a file has the same type, and a run continues with the next file."""
    data = npy(PHOTO) if kind == "NPY" else saved(Image.fromarray(PHOTO), kind)
    rng = np.random.default_rng(0)
    logging.getLogger("tifffile").disabled = True
    for _ in range(60):
        changed = bytearray(data)
        for place in rng.integers(0, min(len(data), 400), 6):
            changed[place] = rng.integers(256)
        try:
            picture = read_picture(bytes(changed), max_pixels=10**6)
        except UnreadableError as error:
            assert str(error)
        else:
            assert picture.pixels.ndim in (2, 3)


def test_files_that_are_none(tmp_path):
    for data in (b"", b"x" * 100, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"\x93NUMPY"):
        (tmp_path / "a.png").write_bytes(data)
        for function in (decode, read_size, count_pages):
            if function is count_pages and data[:2] != b"II" and data:
                continue  # returns 1 for files that are not TIFF
            with pytest.raises(UnreadableError):
                function(tmp_path / "a.png")
    for path in (tmp_path / "missing.png", tmp_path):
        for function in (decode, read_size):
            with pytest.raises(UnreadableError):
                function(path)


def test_sizes_are_read_from_headers(tmp_path):
    image = Image.fromarray(PHOTO)
    for name, data in {
        "a.png": saved(image, "PNG", exif=EXIF_TURNED),
        "a.jpg": saved(image, "JPEG", exif=EXIF_TURNED),
        "a.tif": saved(image, "TIFF", exif=EXIF_TURNED),
        "a.webp": saved(image, "WEBP", exif=EXIF_TURNED),
        "a.bmp": saved(image, "BMP"),
        "a.npy": npy(PHOTO),
    }.items():
        (tmp_path / name).write_bytes(data)
        rotated = name[-3:] not in ("bmp", "npy")
        assert read_size(tmp_path / name) == (SHAPE[::-1] if rotated else SHAPE) == decode(data).shape[:2], name


# Large files


def flat_png(height, width):
    """A PNG of many black pixels in few bytes."""
    packer, rows = zlib.compressobj(9), []
    rows += [packer.compress(b"\0" + bytes(-(-width // 8))) for _ in range(height)]
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", b"".join(rows) + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def test_the_limit_of_pixels_can_be_set_and_lifted(tmp_path):
    image = Image.fromarray(PHOTO)
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"):
        data = saved(image, kind)
        assert decode(data, max_pixels=PHOTO[..., 0].size).shape == PHOTO.shape
        with pytest.raises(UnreadableError, match="max_pixels"):
            decode(data, max_pixels=PHOTO[..., 0].size - 1)
    with pytest.raises(UnreadableError, match="max_pixels"):
        decode(npy(PHOTO), max_pixels=9)
    (tmp_path / "a.png").write_bytes(saved(image, "PNG"))
    with pytest.raises(ValueError, match="max_pixels"):
        Images("normal", tmp_path, max_pixels=9)[0]
    with pytest.raises(ValueError, match="`max_pixels`"):
        Images("normal", tmp_path, max_pixels=0)


def test_more_than_pillows_limit():
    large = flat_png(9000, 20_000)  # 180 megapixels
    with pytest.raises(UnreadableError, match="20000 x 9000 pixels"):
        decode(large)
    assert decode(large, max_pixels=None).shape == (9000, 20_000)


def test_the_limit_is_no_matter_of_the_process(monkeypatch):
    """Pillow's own limit is neither read nor changed, independent of other threads."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    files = [saved(Image.fromarray(PHOTO), kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF")]
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [
            threading.Thread(target=lambda data=data: found.append(decode(data, max_pixels=None).shape))
            for data in files * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [PHOTO.shape] * len(threads) and Image.MAX_IMAGE_PIXELS == 100


# Pages


def stack(tmp_path, count=3, **keywords):
    path = tmp_path / "scan.tif"
    pages = [photograph(*SHAPE, seed) for seed in range(count)]
    with tifffile.TiffWriter(path) as file:
        for page in pages:
            file.write(page, photometric="rgb", metadata=None, **keywords)
    return path, pages


def test_each_page_can_be_read(tmp_path):
    path, pages = stack(tmp_path)
    assert count_pages(path) == 3 and read_picture(path).pages == 3
    for index, page in enumerate(pages):
        assert np.array_equal(decode(path, page=index), page)
        assert read_size(path, page=index) == SHAPE
    with pytest.raises(UnreadableError, match="3 pages, so there is no page 4"):
        decode(path, page=3)
    with pytest.raises(UnreadableError, match="one page, so there is no page 2"):
        decode(saved(Image.fromarray(PHOTO), "PNG"), page=1)
    images = [Image.fromarray(page) for page in pages]
    for compression in ("tiff_lzw", "jpeg", "packbits"):
        quality = {"quality": 99} if compression == "jpeg" else {}
        data = saved(images[0], "TIFF", save_all=True, append_images=images[1:], compression=compression, **quality)
        assert count_pages(data) == 3
        for index, page in enumerate(pages):
            assert np.abs(decode(data, page=index).astype(int) - page).mean() < (4 if compression == "jpeg" else 1e-9)


def test_smaller_copies_are_no_pages():
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory) as file:
        file.write(PHOTO[::4, ::4].copy(), photometric="rgb", subfiletype=1, metadata=None)
        file.write(PHOTO, photometric="rgb", metadata=None)
        file.write(PHOTO[::2, ::2].copy(), photometric="rgb", subfiletype=1, metadata=None)
    assert count_pages(memory.getvalue()) == 1 and np.array_equal(decode(memory.getvalue()), PHOTO)


def test_the_first_page_comes_with_a_word_and_all_without(tmp_path):
    path, pages = stack(tmp_path)
    with pytest.warns(UserWarning, match=r"scan\.tif has 3 pages, of which the first is read"):
        assert np.array_equal(Images("normal", tmp_path)[0], pages[0])
    images = Images("normal", tmp_path, pages="all")
    assert len(images) == 3 and all(np.array_equal(image, page) for image, page in zip(images, pages, strict=True))
    assert images.label(1) == f"{path}, page 2 of 3"
    images.check_sizes()
    with pytest.raises(ValueError, match="`pages`"):
        Images("normal", tmp_path, pages="last")


# Masks


def ring(shape=SHAPE):
    mask = np.zeros(shape, np.uint8)
    cv2.circle(mask, (shape[1] // 2, shape[0] // 2), min(shape) // 3, 255, 5)
    return mask


def test_masks_of_every_kind_are_one():
    mask = ring()
    palette = Image.fromarray(mask).convert("P")
    labels = Image.frombytes("P", SHAPE[::-1], (mask > 0).astype(np.uint8).tobytes())
    labels.putpalette([0, 0, 0, 255, 0, 0])
    opaque = np.dstack([mask, mask, mask, np.full_like(mask, 255)])
    files = {
        "gray": encode(mask, "png", 1),
        "0 and 1": encode(mask // 255, "png", 1),
        "bilevel": saved(Image.fromarray(mask).convert("1"), "PNG"),
        "bilevel TIFF": saved(Image.fromarray(mask).convert("1"), "TIFF"),
        "16 bits": encode(mask.astype(np.uint16) * 257, "png", 1),
        "255 in 16 bits": encode(mask.astype(np.uint16), "png", 1),
        "float": tiff(mask.astype(np.float32) / 255),
        "255 in floats": tiff(mask.astype(np.float32)),
        "color": encode(np.dstack([mask, mask * 0, mask * 0]), "png", 1),
        "RGBA": encode(opaque, "png", 1),
        "painted on nothing": encode(np.dstack([mask * 0 + 255] * 3 + [mask]), "png", 1),
        "LA": saved(Image.fromarray(np.dstack([mask, mask * 0 + 255])), "PNG"),
        "palette": saved(palette, "PNG"),
        "palette of labels": saved(labels, "PNG"),
        "BMP": encode(mask, "bmp", 1),
        "npy": npy(mask),
        "two bands": tiff(np.dstack([mask, mask * 0])),
    }
    for kind, data in files.items():
        found = read_mask(data, name="a.png")
        assert found.dtype == np.uint8 and np.array_equal(found, mask), kind


def test_a_jpeg_mask_has_the_drawn_region():
    mask = np.zeros((96, 96), np.uint8)
    mask[20:60, 30:80] = 255
    for quality in (30, 75, 95):
        data = saved(Image.fromarray(mask), "JPEG", quality=quality)
        assert np.unique(decode(data)).size > 2 or quality == 95
        assert np.mean(read_mask(data, name="a.jpg") != mask) < 0.005


def test_half_of_the_range_is_true():
    ramp = np.zeros((100, 100), np.uint8)
    ramp[0, :4] = 127, 128, 1, 254
    assert read_mask(encode(ramp, "png", 1), name="a.png")[0, :5].tolist() == [0, 255, 0, 255, 0]
    deep = ramp.astype(np.uint16)
    deep[0, :4] = 32_767, 32_768, 1, 65_000
    assert read_mask(encode(deep, "png", 1), name="a.png")[0, :5].tolist() == [0, 255, 0, 255, 0]


def test_what_may_be_no_mask_is_named():
    with pytest.warns(UserWarning, match=r"photo\.png may not be a mask: \d+%"):
        read_mask(encode(PHOTO, "png", 1), name="photo.png")
    with pytest.warns(UserWarning, match=r"gray\.png may not be a mask"):  # and still it is true from half on
        assert np.array_equal(read_mask(encode(ring() // 255 * 128, "png", 1), name="gray.png"), ring())
    few = ring((100, 100))
    few[0, :99] = 120  # less than 1 %
    assert not read_mask(encode(few, "png", 1), name="a.png")[0].any()
    with pytest.raises(UnreadableError, match="int32"):
        read_mask(tiff(ring().astype(np.int32)), name="a.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_anomalies_stay_in_the_region_of_a_mask_file(suffix, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "rois").mkdir()
    drawn = np.zeros((64, 72), np.uint8)
    drawn[12:44, 20:60] = 255
    for index in range(4):
        (tmp_path / "in" / f"{index}.png").write_bytes(encode(photograph(64, 72, index), "png", 1))
        Image.fromarray(drawn).save(tmp_path / "rois" / f"{index}.{suffix}")
    out = tmp_path / "set"
    pail.generate(tmp_path / "in", out, number=16, layout="flat", workers=1, roi=tmp_path / "rois")
    allowed = np.pad(drawn, 2)[2:-2, 2:-2]
    allowed = cv2.dilate(allowed, np.ones((3, 3), np.uint8))  # of a JPEG the border may be off by one
    masks = [decode(path) for path in sorted((out / "masks").iterdir())]
    assert len(masks) == 16 and not any(mask[(allowed if suffix == "jpg" else drawn) == 0].any() for mask in masks)


# Listing


@pytest.fixture
def messy(tmp_path):
    folder = tmp_path / "parts"
    data = encode(PHOTO, "png", 1)
    for name in (
        "b.PNG", "a.jfif", "z/c.jpe", "z/d.npy", ".hidden.png", ".ipynb_checkpoints/b.png", "z/.thumbnails/c.png",
        "__MACOSX/b.png", "dir.png/e.png", "f.heic", "g.HEIC", "h.dcm", "notes.txt", "noext",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        content = npy(PHOTO) if name.endswith("npy") else data
        (folder / name).write_bytes(content)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "far.png").write_bytes(data)
    if os.name == "posix":
        (folder / "linked").symlink_to(tmp_path / "other")
        (folder / "again").symlink_to(folder)
        (folder / "file.png").symlink_to(tmp_path / "other" / "far.png")
    else:
        (folder / "file.png").write_bytes(data)
    return folder


LISTED = ["a.jfif", "b.PNG", "dir.png/e.png", "file.png", "z/c.jpe", "z/d.npy"]


def test_one_listing_for_all(messy):
    from pail.app.folder import Folder
    from pail.dataset.store import Store

    listing = list_images(messy)
    assert listing.names == LISTED and listing.unread == {".dcm": 1, ".heic": 2}
    assert Store(messy).names() == LISTED
    with pytest.warns(UserWarning, match=r"skipped: 1 \.dcm"):
        assert list(Folder(messy).listed) == LISTED
    with pytest.warns(UserWarning, match=r"skipped: 1 \.dcm file \(no reader\), 2 \.heic files"):
        images = Images("normal", messy)
    assert [entry.path.relative_to(messy).as_posix() for entry in images.entries] == LISTED
    assert [image.shape for image in images] == [PHOTO.shape] * len(LISTED)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_linked_folders_are_named_or_followed_once(messy):
    listing = list_images(messy)
    assert listing.links == ["again", "linked"] and "2 linked folders (again, linked)" in listing.skipped_summary
    followed = list_images(messy, follow_links=True)
    assert followed.names == sorted([*LISTED, "linked/far.png"]) and not followed.links


def test_a_remote_store_lists_by_the_same_rule():
    fsspec = pytest.importorskip("fsspec")
    from pail.dataset.store import Store

    system = fsspec.filesystem("memory")
    for name in ("b.PNG", "z/c.jpe", ".hidden.png", "z/.thumbnails/c.png", "__MACOSX/b.png", "f.heic"):
        system.pipe_file(f"/listing/{name}", b"x")
    listing = Store("memory://listing").listing()
    assert listing.names == ["b.PNG", "z/c.jpe"] and listing.unread == {".heic": 1}
    assert not Store("memory://listing").is_empty()


def test_suffixes_that_are_listed_are_read(tmp_path):
    (tmp_path / "in").mkdir()
    image = Image.fromarray(PHOTO)
    for name, kind in {
        "a.jfif": "JPEG", "a.jpe": "JPEG", "a.gif": "GIF", "a.dib": "DIB", "a.pnm": "PPM", "a.jp2": "JPEG2000",
    }.items():  # fmt: skip
        (tmp_path / "in" / name).write_bytes(saved(image, kind))
    (tmp_path / "in" / "a.npy").write_bytes(npy(PHOTO))
    frames = [Image.fromarray(photograph(*SHAPE, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "in" / "b.gif", save_all=True, append_images=frames[1:])
    images = Images("normal", tmp_path / "in")
    assert len(images) == 8 and {image.shape for image in images} == {PHOTO.shape}
    first = np.asarray(frames[0].quantize().convert("RGB")).astype(int)
    assert np.abs(decode(tmp_path / "in" / "b.gif").astype(int) - first).mean() < 6
    summary = pail.generate(tmp_path / "in", tmp_path / "set", number=8, layout="flat", workers=1)
    assert (summary.anomalies, summary.status) == (8, 0)


# What uses it


@pytest.mark.filterwarnings("ignore:anomalib")
def test_good_and_anomalous_images_of_a_set_are_checked_alike(tmp_path):
    bad = {
        "nan.tif": tiff(np.where(ring() > 0, np.nan, 0.5).astype(np.float32)),
        "wide.tif": tiff(PHOTO.astype(np.float32)),
        "int.tif": tiff(PHOTO[..., 0].astype(np.int32)),
        "many.npy": npy(np.zeros((8, 8, 40), np.uint8)),
    }
    (tmp_path / "in").mkdir()
    for name, data in bad.items():
        (tmp_path / "in" / name).write_bytes(data)
    (tmp_path / "in" / "a.png").write_bytes(encode(PHOTO, "png", 1))
    for layout in ("mvtec", "flat"):
        out = tmp_path / layout
        summary = pail.generate(
            tmp_path / "in", out, number=10, layout=layout, workers=1, size=(32, 32), format="tiff", test_share=0.5
        )
        skipped = {entry["file"]: entry["reason"] for entry in summary.skipped}
        assert set(skipped) == set(bad) and summary.status in (3, 4)  # 4: no good image in the split of the anomalies
        assert "NaN" in skipped["nan.tif"] and "int32" in skipped["int.tif"] and "channels" in skipped["many.npy"]
        lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        assert {line["normal"] for line in lines} == {"a.png"} and summary.images > 0


@pytest.mark.filterwarnings("ignore:anomalib")
def test_alpha_of_gray_files_is_carried_through_a_set(tmp_path):
    (tmp_path / "in").mkdir()
    image = pil_image("LA")
    image.save(tmp_path / "in" / "a.png")
    image.save(tmp_path / "in" / "b.tif")
    array = np.asarray(image)
    for form in ("png", "tiff"):
        out = tmp_path / form
        assert pail.generate(tmp_path / "in", out, number=6, workers=1, test_share=1, format=form).status == 0
        for line in map(json.loads, (out / "manifest.jsonl").read_text().splitlines()):
            picture = read_picture(out / line["image"])
            assert picture.alpha and np.array_equal(picture.pixels[..., 1], array[..., 1])
            assert np.array_equal(picture.pixels, array) == (line["label"] == 0)


def test_alpha_of_gray_files_is_carried_through_the_page_of_tune(tmp_path):
    from pail.app.draws import Bench
    from pail.app.export import export
    from pail.app.settings import Entry, PageSettings

    pil_image("LA").save(tmp_path / "a.png")
    bench, settings = Bench(tmp_path, tmp_path), PageSettings((Entry("perlin_noise_pattern"),))
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert np.array_equal(draw.i_a[..., 1], np.asarray(pil_image("LA"))[..., 1])
    made = {}
    exec(export(bench, settings).python, made)  # the call that it hands out
    assert np.array_equal(made["i_a"], draw.i_a) and np.array_equal(made["m_a"][..., 0], draw.mask)


def test_sources_lose_their_alpha(tmp_path):
    pil_image("LA").save(tmp_path / "a.png")
    pil_image("RGBA").save(tmp_path / "b.png")
    pil_image("L").save(tmp_path / "c.png")
    shapes = {image.shape[2] for image in drawn_source(tmp_path).images}
    assert shapes == {1, 3}


def test_stacks_of_gray_images():
    grays = np.stack([photograph(*SHAPE, seed)[..., 0] for seed in range(20)])
    images = Images("normal", grays, channels=None)
    assert len(images) == 20 and np.array_equal(images[7][..., 0], grays[7])
    with pytest.raises(ValueError, match=r"`normal` of shape \(8, 40, 52\).*images\[\.\.\., None\].*list\(images\)"):
        Images("normal", grays[:8])
    for form in (list(grays[:8]), grays[:8, ..., None]):
        assert len(Images("normal", form, channels=None)) == 8
    assert len(Images("normal", PHOTO)) == 1 and len(Images("normal", PHOTO[..., 0])) == 1


def test_arrays_are_not_copied_before_they_are_asked_for():
    """A transposed view of a stack with its channels in front may be larger than the free memory."""
    channels_first = np.stack([photograph(*SHAPE, seed).transpose(2, 0, 1) for seed in range(3)])
    images = Images("normal", channels_first.transpose(0, 2, 3, 1))
    assert all(np.shares_memory(entry.pixels, channels_first) for entry in images.entries)
    assert np.array_equal(images[1], photograph(*SHAPE, 1)) and images[1].flags.c_contiguous
    swapped = Images("normal", [PHOTO.astype(">u2")])[0]
    assert swapped.dtype == np.uint16 and swapped.dtype.isnative
    with pytest.raises(TypeError, match=r"`normal\[0\]`.*int64"):
        Images("normal", np.zeros((2, 8, 8, 3), np.int64))


# PIL images there and back


@pytest.mark.parametrize("mode", [mode for mode in [*FILES, "HSV", "RGBa", "La", "RGBX"] if mode[0] not in "1P"])
def test_a_pil_image_gets_pixels_in_its_own_mode(mode):
    image = pil_image("RGBA" if mode == "RGBa" else "LA" if mode == "La" else mode)
    image = image if image.mode == mode else image.convert(mode)
    before = image.tobytes()
    array, alpha = pil.to_array("image", image)
    mask = ring() > 0
    changed = array.copy()
    bands = slice(None) if array.ndim == 2 else slice(0, array.shape[2] - alpha)
    changed[mask] = changed[mask].copy()
    if array.ndim == 2:
        changed[mask] = array.max() - array[mask]
    else:
        changed[mask, bands] = 255 - array[mask, bands]
    result = pil.with_pixels(image, changed, mask)
    assert result.mode == image.mode and result.size == image.size and image.tobytes() == before
    old, new = (np.frombuffer(i.tobytes(), np.uint8).reshape(*SHAPE, -1) for i in (image, result))
    assert np.array_equal(old[~mask], new[~mask]) and (old[mask] != new[mask]).any(axis=-1).mean() > 0.5
    if alpha:
        assert np.array_equal(old[..., -1], new[..., -1])


@pytest.mark.parametrize("mode", ["1", "P", "PA"])
def test_palettes_cannot_take_new_colors(mode):
    with pytest.raises(TypeError, match=f"mode {mode} cannot contain an anomaly"):
        pil.check_open(Image.new(mode, (4, 4)))
