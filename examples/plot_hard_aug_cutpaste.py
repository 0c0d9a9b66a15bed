"""
Hard augmentation CutPaste
==========================

A copy of the image is rotated, its quadrants are exchanged or its colors are jittered, and a rectangle of that copy
is pasted at the same place. It imitates components in the wrong orientation or color: here some bricks are upright.
It comes from `Song et al., AnoSeg: Anomaly Segmentation Network Using Self-Supervised Learning, 2021
<https://arxiv.org/abs/2110.03396>`_.
"""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data

from pail import pai


def photograph(name, stand_in):
    """A photograph of the project, in this folder or one above it, or else one from scikit-image."""
    found = (folder / name for folder in (Path.cwd(), *Path.cwd().parents) if (folder / name).is_file())
    file = next(found, None)
    return np.asarray((Image.fromarray(stand_in()) if file is None else Image.open(file)).convert("RGB"))


def show(i_n, i_a, m_a, i_s=None):
    """Show the good part, the source if there is one, and the anomaly; below, a close-up and its difference."""
    rows, columns, _ = np.nonzero(m_a)
    close = np.s_[max(0, rows.min() - 9) : rows.max() + 10, max(0, columns.min() - 9) : columns.max() + 10]
    change = np.abs(i_a.astype(int) - i_n).max(axis=2)
    source = {} if i_s is None else {"source": i_s}
    above = {"good part": i_n} | source | {"anomaly, its mask outlined": (i_a, m_a)}
    grid([above, {"close-up": i_a[close], "what changed": change[close]}])


def vary(insert, i_n, **parameters):
    """One row per parameter: the results of `insert` with each of its values."""
    grid([{f"{name}={value}": insert(i_n, **{name: value}) for value in values} for name, values in parameters.items()])


def grid(rows):
    """Show rows of pictures with titles. For an image with a mask, the outline of the mask is drawn on the image."""
    columns = max(map(len, rows))
    size = (2.5 * columns, 2.75 * len(rows))
    _, axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for line, row in zip(axes, rows, strict=True):
        for ax, (title, picture) in zip(line, row.items(), strict=False):
            image, mask = picture if isinstance(picture, tuple) else (picture, None)
            ax.imshow(image, cmap="gray")
            ax.set_title(title, fontsize=9)
            if mask is not None:
                ax.contour(mask.squeeze(), levels=[127], colors="yellow", linewidths=1)


i_n = photograph("example_img/example_0.jpg", data.brick)
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.hard_aug_cutpaste(i_n, rng=1)
show(i_n, i_a, m_a)

# %%
# ``area_ratio`` is the rectangle's share of the image; ``p_rotate``, ``p_perm`` and ``p_jitter`` are the
# probabilities of the three augmentations. The second row shows each of them alone.

vary(
    partial(insertion.hard_aug_cutpaste, rng=1),
    i_n,
    area_ratio=[(0.01, 0.02), (0.05, 0.06), (0.2, 0.21)],
)
alone = {"p_rotate": 0, "p_perm": 0, "p_jitter": 0, "angles": (90,), "area_ratio": (0.15, 0.16), "rng": 7}
grid(
    [
        {
            f"{chance}=1": insertion.hard_aug_cutpaste(i_n, **alone | {chance: 1})
            for chance in ("p_rotate", "p_perm", "p_jitter")
        }
    ]
)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"hard_aug_cutpaste_{number}.png")
