"""
Random perturbation
===================

One to four rectangles are overwritten with uniform noise, a value a pixel and a channel. Nothing of the kind occurs
in practice: the contrast is as large as it can be, which teaches a model to notice what has no structure. It comes
from CDO, `Cao et al., Collaborative Discrepancy Optimization for Reliable Image Anomaly Localization, IEEE TII 2023
<https://arxiv.org/abs/2302.08769>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_2.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.random_perturbation(i_n, rng=1)
figures.show(i_n, i_a, m_a)

# %%
# ``patch_number`` is how many rectangles there are at least and at most, and ``size_range`` their sides as fractions of
# the image's.

figures.vary(
    partial(insertion.random_perturbation, rng=1),
    i_n,
    patch_number=[(1, 1), (3, 3), (8, 8)],
    size_range=[(0.02, 0.05), (0.05, 0.2), (0.2, 0.4)],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
