"""
Which, and how many
===================

``insert`` draws techniques by name or family, with weights, and inserts one anomaly or several; the mask is their
union. ``pail.masks.difference`` returns the part of a mask that visibly changed, and ``pail.masks.soft`` the
strength of the change.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data

from pail import masks, pai


def photograph(name, stand_in):
    """A photograph of the project, in this folder or one above it, or else one from scikit-image."""
    found = (folder / name for folder in (Path.cwd(), *Path.cwd().parents) if (folder / name).is_file())
    file = next(found, None)
    return np.asarray((Image.fromarray(stand_in()) if file is None else Image.open(file)).convert("RGB"))


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


i_n = photograph("example_img/example_2.jpg", data.coins)
sources = [
    photograph("anom_source_imgs/streaks.jpg", data.gravel),
    photograph("anom_source_imgs/gravel.jpg", data.gravel),
    photograph("anom_source_imgs/grass.jpg", data.grass),
]
techniques = ["cutpaste_scar", "perlin_noise_pattern", "superpixel_anomaly", "rand_augmented_cut_paste", "fract_aug"]
insertion = pai.Anomaly_Insertion()

rows = []
for index in (7, 28, 22):
    result = insertion.insert(i_n, sources, techniques=techniques, n_anomalies=(1, 3), rng=(11, index))
    i_a, m_a = result
    rows.append(
        {
            "\n".join(result.techniques): result,
            "mask": m_a[..., 0],
            "visibly changed": masks.difference(i_n, i_a, m_a)[..., 0],
            "graded": masks.soft(i_n, i_a, m_a, full=0.5)[..., 0],
        }
    )
grid(rows)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"mix_{number}.png")
