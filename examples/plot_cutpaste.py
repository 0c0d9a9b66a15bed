"""
CutPaste
========

A rectangle of the image is copied, its colours are jittered, and it is pasted elsewhere: the texture is genuine, but
in a place where it does not belong. What it imitates are misplaced, doubled and covered components. It comes from `Li
et al., CutPaste: Self-Supervised Learning for Anomaly Detection and Localization, CVPR 2021
<https://arxiv.org/abs/2104.04015>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_3.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.cutpaste(i_n, rng=6)
figures.show(i_n, i_a, m_a)

# %%
# ``area_ratio`` is the rectangle's share of the image, and ``aspect_ratio`` its width over its height, drawn from one
# of two ranges. Their values are ranges to draw from, so that ``(1, 1)`` is a square.

figures.vary(
    partial(insertion.cutpaste, rng=6),
    i_n,
    area_ratio=[(0.01, 0.03), (0.02, 0.15), (0.2, 0.25)],
    aspect_ratio=[((0.3, 0.3), (3, 3)), ((1, 1), (1, 1)), ((0.3, 1), (1, 3.3))],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
