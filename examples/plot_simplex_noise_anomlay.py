"""
Simplex noise
=============

Smooth simplex noise in several octaves is added to a small rectangle: the structure of the image stays visible and
becomes blotchy. It imitates wear, corrosion and dirt. It comes from RD++, `Tien et al., Revisiting Reverse
Distillation for Anomaly Detection, CVPR 2023 <https://openaccess.thecvf.com/content/CVPR2023/html/\
Tien_Revisiting_Reverse_Distillation_for_Anomaly_Detection_CVPR_2023_paper.html>`_.
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


i_n = photograph("example_img/example_1.jpg", data.coins)
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.simplex_noise_anomlay(i_n, rng=9)
show(i_n, i_a, m_a)

# %%
# ``size_range`` is the rectangle's sides as fractions of the image's, ``amplitude`` the strength of the first octave as
# a fraction of full scale, and ``frequency`` the wavelength as a fraction of the image's shorter side. The last two are
# shown on a larger rectangle.

vary(
    partial(insertion.simplex_noise_anomlay, rng=9),
    i_n,
    size_range=[(0.04, 0.06), (0.04, 0.125), (0.3, 0.5)],
)
vary(
    partial(insertion.simplex_noise_anomlay, size_range=(0.3, 0.5), rng=9),
    i_n,
    amplitude=[0.05, 0.2, 0.5],
    frequency=[0.02, 0.125, 0.5],
)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"simplex_noise_anomlay_{number}.png")
