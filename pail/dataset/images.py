"""Image files as arrays and back: names of `pail.io` that recipes' exported calls import from here."""

from pail.io.read import UnreadableError, decode
from pail.io.write import encode

__all__ = ["UnreadableError", "decode", "encode"]
