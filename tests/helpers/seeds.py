"""Seeds for tests of distributions."""

import zlib


def seeds(name, count):
    """Seeds that no other test uses. The first numbers of the generators 0, 1, 2, ... have a mean of 0.56."""
    return [(zlib.crc32(name.encode()), i) for i in range(count)]
