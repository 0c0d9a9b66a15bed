"""
Where
=====

Every technique takes ``roi``, the region of interest: a mask of the image's height and width, or ``"foreground"``. No
pixel of the anomaly's mask is outside, and the whole anomaly is placed inside if it fits.
"""

from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data

from pail import pai, roi


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


i_n = photograph("example_img/example_1.jpg", data.coins)
i_s = photograph("anom_source_imgs/streaks.jpg", data.gravel)
insertion = pai.Anomaly_Insertion()

coins = roi.foreground(i_n)  # bool (H, W); all true on a texture without background
large = cv2.circle(np.zeros(i_n.shape[:2], np.uint8), (234, 142), 38, 255, -1)  # your own mask: the largest coin

free = insertion.perlin_noise_pattern(i_n, i_s, rng=9)
kept = insertion.perlin_noise_pattern(i_n, i_s, rng=9, roi=coins)
first = {"without a region": free, "roi=coins": kept}
free = insertion.fract_aug(i_n, anom_source_img=i_s, rng=5)
kept = insertion.fract_aug(i_n, anom_source_img=i_s, rng=5, roi=large)
second = {"without a region": free, "roi=large": kept}
grid(
    [
        {"normal image": i_n, name: region} | results
        for name, region, results in (("coins", coins, first), ("large", large, second))
    ]
)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"roi_{number}.png")
