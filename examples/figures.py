"""What the examples share: the bundled photographs, and labelled figures made with matplotlib."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from pail.pixels.panels import fit, outline, view

ROOT = Path(__file__).resolve().parent.parent
SIDE = 320  # pixels of a panel


def photograph(name):
    """A photograph of the project's, RGB: "example_img/example_0.jpg", "anom_source_imgs/wood.jpg"."""
    return np.asarray(Image.open(ROOT / name).convert("RGB"))


def show(i_n, i_a, m_a, i_s=None):
    """One anomaly: the normal image, the source if there is one, the result, and a crop of it and of what changed."""
    whole, zoom, change = view(i_n, i_a, m_a, SIDE)
    source = {} if i_s is None else {"source": i_s}
    panels = {"result, mask outlined": whole, "framed crop": zoom, "difference in the crop": change}
    grid([{"normal image": i_n} | source | panels])


def vary(insert, i_n, **parameters):
    """One row a parameter: what `insert` makes with each of its values, the mask outlined."""
    grid(
        [
            {f"{name}={value}": outlined(i_n, *insert(i_n, **{name: value})) for value in values}
            for name, values in parameters.items()
        ]
    )


def outlined(i_n, i_a, m_a):
    """A result with its mask's outline; takes the normal image too, as `show` does."""
    return outline(fit(i_a, SIDE), m_a[..., 0])


def grid(rows):
    """Rows of labelled pictures."""
    columns = max(map(len, rows))
    _, axes = plt.subplots(
        len(rows), columns, figsize=(2.5 * columns, 2.75 * len(rows)), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for line, row in zip(axes, rows, strict=True):
        for ax, (title, picture) in zip(line, row.items(), strict=False):
            ax.imshow(picture, cmap="gray")
            ax.set_title(title, fontsize=9)


def save():
    """The open figures, in the folder given as the first argument, as PNG or what the second says.

    In the documentation none is open any more: sphinx-gallery has taken and closed them.
    """
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results"
    suffix = sys.argv[2] if len(sys.argv) > 2 else "png"
    for number in plt.get_fignums():
        name = Path(sys.argv[0]).stem.removeprefix("plot_") + (f"_{number}" if number > 1 else "")
        folder.mkdir(parents=True, exist_ok=True)
        plt.figure(number).savefig(folder / f"{name}.{suffix}")
        print(folder / f"{name}.{suffix}")
