"""
Real defects
============

A bank contains real defects, which are cut out of photographs by their masks. Each call inserts one of them at another
place, angle and size, and fits it to the surface there.
"""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw
from skimage import data

import pail
from pail import pai


def photograph(name, stand_in):
    """A photograph of the project, in this folder or one above it, or else one from scikit-image."""
    found = (folder / name for folder in (Path.cwd(), *Path.cwd().parents) if (folder / name).is_file())
    file = next(found, None)
    return np.asarray((Image.fromarray(stand_in()) if file is None else Image.open(file)).convert("RGB"))


def mask_of(image, *corners, width):
    """A mask like that of an annotator: a thick line through points (x, y)."""
    mask = Image.new("L", image.shape[1::-1])
    ImageDraw.Draw(mask).line(corners, 255, width)
    return np.asarray(mask)


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


# %%
# The surface of this photograph has a scratch and a gouge. A bank is made from two masks; ``pail.Defects.read`` reads a
# folder of images with masks or annotations instead. Defects keep the colors of their photographs. A gray bank suits
# any material.

worn = np.asarray(Image.fromarray(photograph("example_img/example_4.jpg", data.coffee)).convert("L"))
scratch = mask_of(worn, (53, 120), (77, 168), (102, 215), width=5)
gouge = mask_of(worn, (2, 158), (14, 142), (29, 124), width=11)
defects = pail.Defects([worn, worn], [scratch, gouge], kinds=["scratch", "gouge"])
grid([{"a worn surface: its scratch": (worn, scratch), "its gouge": (worn, gouge)}])

# %%
# ``blend`` keeps the defect's pixels, adds its difference from its own surface, or keeps its gradients; None draws one
# of the first two. On a good surface:

good = photograph("anom_source_imgs/streaks.jpg", data.gravel)
insertion = pai.Anomaly_Insertion()


def varied(insert, **parameters):
    """One row per parameter: the results of `insert` with each of its values."""
    return [{f"{name}={value}": insert(**{name: value}).i_a for value in values} for name, values in parameters.items()]


rows = varied(
    partial(insertion.real_defect, good, defects, kinds="gouge", rng=2), blend=["paste", "transfer", "poisson"]
)
rows += varied(
    partial(insertion.real_defect, good, defects, kinds="scratch", rng=8), scale=[(0.7, 0.7), (1, 1), (2, 2)]
)
rows += varied(partial(insertion.real_defect, good, defects, rng=5), contrast=[(0.5, 0.5), (1, 1), (1.5, 1.5)])
grid(rows)

# %%
# The same bank on other materials, with the outlines of the masks.

coins = photograph("example_img/example_1.jpg", data.coins)
bricks = photograph("example_img/example_0.jpg", data.brick)
grid(
    [
        {
            "gouge on a coin": insertion.real_defect(coins, defects, kinds="gouge", rng=3),
            "gouge in a brick": insertion.real_defect(bricks, defects, rng=6),
            "at the place where it was": insertion.real_defect(good, defects, place="same", rng=5),
        }
    ]
)

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"real_defect_{number}.png")
