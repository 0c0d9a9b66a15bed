"""
Defects an inspector can name
=============================

Eight kinds of defects, drawn from their geometry on any surface: the family ``"defects"``. They need no source image,
and follow the place where they lie: its brightness, its texture, its sharpness and one direction of light.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data

from pail import pai


def photograph(name, stand_in):
    """The middle of a photograph of the project's in or above this folder; elsewhere one of scikit-image."""
    found = (folder / name for folder in (Path.cwd(), *Path.cwd().parents) if (folder / name).is_file())
    file = next(found, None)
    image = (Image.fromarray(stand_in()) if file is None else Image.open(file)).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)).resize((320, 320), Image.Resampling.LANCZOS))


def brushed_metal(side=320):
    """Fine lines along one direction, and a soft light."""
    rng = np.random.default_rng(1)
    lines = ndimage.gaussian_filter(rng.normal(size=(side, side)), (0.5, 25))
    level = 165 + 25 * np.cos(3 * np.linspace(-0.3, 0.7, side)) + 30 * lines + rng.normal(0, 1.5, (side, side))
    return np.clip(level[..., None] * [0.98, 1, 1.02], 0, 255).astype(np.uint8)


def sheet(rows):
    """Rows of pictures: the titles of the columns at the top, those of the rows on the left."""
    columns = list(next(iter(rows.values())))
    size = (1.62 * len(columns) + 0.3, 1.62 * len(rows) + 0.3)
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    for number, (line, (name, row)) in enumerate(zip(axes, rows.items(), strict=True)):
        line[0].set_ylabel(name, fontsize=10)
        for ax, title in zip(line, columns, strict=True):
            ax.imshow(row[title])
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if number == 0:
                ax.set_title(title, fontsize=10)


DEFECTS = ("scratch", "crack", "stain", "pitting", "dent", "chip", "fiber", "corrosion")
materials = {
    "brushed metal": brushed_metal(),
    "wood": photograph("example_img/example_4.jpg", data.coffee),
    "circuit board": photograph("example_img/example_2.jpg", data.coffee),
    "coins": photograph("example_img/example_1.jpg", data.coins),
    "bricks": photograph("example_img/example_0.jpg", data.brick),
    "paper": photograph("", data.page),
}
insertion = pai.Anomaly_Insertion()

# %%
# Every kind on six materials, in the automatic foreground: on the coins, and anywhere on a surface.

rows = {name: {} for name in DEFECTS}
for number, name in enumerate(DEFECTS):
    for place, (material, image) in enumerate(materials.items()):
        technique = getattr(insertion, name)
        result = technique(image, roi="foreground", severity=0.75, rng=(5, number, place))
        rows[name][material] = result.i_a
sheet(rows)

# %%
# ``severity`` scales size, number and contrast together. Each row has one seed.

rows = {name: {} for name in DEFECTS}
for number, name in enumerate(DEFECTS):
    for severity in (0, 0.25, 0.5, 0.75, 1):
        technique = getattr(insertion, name)
        rows[name][f"severity {severity}"] = technique(materials["brushed metal"], severity=severity, rng=number).i_a
sheet(rows)

# %%
# Run as a script, the figures are saved as PNG in the folder that it is run in.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"defects_{number}.png")
