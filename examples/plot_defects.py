"""
Defects an inspector can name
=============================

Eight kinds of defects, drawn from their geometry on any surface: the family ``"defects"``. They need no source image,
and adapt to their place: to its brightness, its texture, its sharpness and one direction of light.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data

from pail import pai


def material(name, stand_in):
    """The middle of a photograph of the project, in this folder or one above it, or else of one from scikit-image."""
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


def around(i_a, m_a, least=170):
    """A square crop of the image around its defect."""
    rows, columns, _ = np.nonzero(m_a)
    side = min(len(i_a), max(least, int(1.25 * max(np.ptp(rows), np.ptp(columns)))))
    top, left = (
        np.clip((part.min() + part.max() - side) // 2, 0, size - side)
        for part, size in zip((rows, columns), i_a.shape[:2], strict=True)
    )
    return i_a[top : top + side, left : left + side]


def sheet(rows):
    """Show rows of pictures with titles above, if they change, and the names of the rows on the left."""
    columns = max(map(len, rows.values()))
    size = (1.62 * columns + 0.3, 1.62 * len(rows) + 0.3)
    figure, axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    above = []
    for line, (name, row) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=10)
        for ax, (title, image) in zip(line, row.items(), strict=True):
            ax.imshow(image)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            ax.set_title("" if list(row) == above else title, fontsize=10)
        above = list(row)


DEFECTS = ("scratch", "crack", "stain", "pitting", "dent", "chip", "fiber", "corrosion")
materials = {
    "brushed metal": brushed_metal(),
    "rolled sheet": material("anom_source_imgs/streaks.jpg", data.gravel),
    "circuit board": material("example_img/example_2.jpg", data.coffee),
    "coins": material("example_img/example_1.jpg", data.coins),
    "bricks": material("example_img/example_0.jpg", data.brick),
    "propellers": material("example_img/example_5.jpg", data.coins),
}
insertion = pai.Anomaly_Insertion()

on_materials = {name: {} for name in DEFECTS}
by_severity = {name: {} for name in DEFECTS}
for number, name in enumerate(DEFECTS):
    technique = getattr(insertion, name)
    for place, (material, image) in enumerate(materials.items()):
        result = technique(image, roi="foreground", severity=0.75, rng=(5, number, place))
        on_materials[name][material] = around(*result)
    for severity in (0, 0.2, 0.4, 0.6, 0.8, 1):
        result = technique(materials["brushed metal"], severity=severity, rng=number)
        by_severity[name][f"severity {severity}"] = result.i_a

# %%
# Every kind on six materials, in the automatic foreground: on the coins, and anywhere on a surface. Below, the
# severities from 0 to 1, which scale size, number and contrast together.

for name in DEFECTS:
    pictures = list((on_materials[name] | by_severity[name]).items())
    sheet({name if not start else " " * start: dict(pictures[start : start + 3]) for start in range(0, 12, 3)})

# %%
# If this file is run as a script, the figures are saved as PNG files in the current folder.

for number in plt.get_fignums():
    plt.figure(number).savefig(f"defects_{number}.png")
