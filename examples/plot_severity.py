"""
How strong
==========

``severity`` scales size and contrast together: 0 is the faintest anomaly that a technique makes, 1 the strongest.
From a pair such as ``(0.2, 0.6)`` a value is drawn, and None, the default, uses the ranges of the technique's own
keywords. With the same ``rng`` the anomaly stays at the same place and grows.
"""

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


coins = photograph("example_img/example_1.jpg", data.coins)
bricks = photograph("example_img/example_0.jpg", data.brick)
board = photograph("example_img/example_3.jpg", data.coins)
streaks = photograph("anom_source_imgs/streaks.jpg", data.gravel)
insertion = pai.Anomaly_Insertion()

rows = [{}, {}, {}]
for severity in (0, 0.25, 0.5, 0.75, 1):
    stain = insertion.perlin_with_roi_anomaly(coins, streaks, p_texture=1, severity=severity, rng=6)
    splash = insertion.fract_aug(bricks, anom_source_img=streaks, severity=severity, rng=5)
    patch = insertion.random_perturbation(board, patch_number=(2, 2), severity=severity, rng=1)
    rows[0][f"perlin_with_roi_anomaly, {severity}"] = stain
    rows[1][f"fract_aug, {severity}"] = splash
    rows[2][f"random_perturbation, {severity}"] = patch
grid(rows)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"severity_{number}.png")
