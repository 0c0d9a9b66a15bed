"""
Superpixels
===========

The image is divided into superpixels (regions of similar color) by SLIC, and some of them are filled with the pixels
of a source at the same places. The outline follows the edges in the image, like that of a chip, spalled plaster or a
foreign body. It comes from TASAD, `Shah et al., Two-stage coarse-to-fine image anomaly segmentation and detection
model, Image and Vision Computing, 2023 <https://doi.org/10.1016/j.imavis.2023.104817>`_.
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
i_s = photograph("anom_source_imgs/gravel.jpg", data.gravel)
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.superpixel_anomaly(i_n, anom_source_img=i_s, rng=3)
show(i_n, i_a, m_a, i_s)

# %%
# ``n_segments`` are the numbers of superpixels one of which is drawn, ``fraction`` is the share of them that is filled,
# and ``compactness`` weights distance against color: the higher, the rounder.

vary(
    partial(insertion.superpixel_anomaly, anom_source_img=i_s, rng=3),
    i_n,
    n_segments=[(30,), (150,), (250,)],
    fraction=[0.01, 0.05, 0.1],
    compactness=[8, 20, 80],
)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"superpixel_anomaly_{number}.png")
