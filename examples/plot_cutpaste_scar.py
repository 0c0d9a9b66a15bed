"""
CutPaste-Scar
=============

A thin strip of the image is copied, its colours are jittered, and it is pasted elsewhere, turned by some angle. What
it imitates are scratches, cracks and small chips: on these parts on a light table, light shows through one. It comes
from `Li et al., CutPaste: Self-Supervised Learning for Anomaly Detection and Localization, CVPR 2021
<https://arxiv.org/abs/2104.04015>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_5.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.cutpaste_scar(i_n, rng=1)
figures.show(i_n, i_a, m_a)

# %%
# ``width`` and ``length`` are fractions of the image's shorter side, and ``rotation`` is the angle against the vertical
# in degrees.

figures.vary(
    partial(insertion.cutpaste_scar, rng=1),
    i_n,
    width=[(0.008, 0.01), (0.02, 0.03), (0.06, 0.08)],
    length=[(0.04, 0.1), (0.2, 0.25), (0.4, 0.5)],
    rotation=[(0, 0), (45, 45), (90, 90)],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
