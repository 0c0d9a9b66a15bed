"""Masks as COCO writes them, read without its code."""

import numpy as np


def decoded(segmentation):
    """Compressed runs as COCO's code writes them."""
    counts, text, place = [], segmentation["counts"], 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            code = ord(text[place]) - 48
            value |= (code & 0x1F) << shift
            more, place, shift = bool(code & 0x20), place + 1, shift + 5
            if not more and code & 0x10:
                value |= -1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    height, width = segmentation["size"]
    values = np.repeat(np.arange(len(counts)) % 2, counts)
    return values.reshape(width, height).T > 0
