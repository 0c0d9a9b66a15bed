"""The names of `pail.io` that modules of data sets use."""

from pail.io.read import MAX_PIXELS, Picture, UnreadableError, count_pages, decode, read_mask, read_picture
from pail.io.write import FORMATS, encode

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Picture",
    "UnreadableError",
    "count_pages",
    "decode",
    "encode",
    "read_mask",
    "read_picture",
]
