"""
Perlin noise
============

Perlin noise above a threshold makes the mask, and an augmented source, usually a texture, is blended into it. The
mask may be one blot, a few streaks or many specks, so that spots, scratches and contamination are all imitated. It
comes from DRAEM, `Zavrtanik et al., DRAEM: A Discriminatively Trained Reconstruction Embedding for Surface Anomaly
Detection, ICCV 2021 <https://arxiv.org/abs/2108.07610>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_3.jpg")
i_s = figures.photograph("anom_source_imgs/wood.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.perlin_noise_pattern(i_n, anom_source_img=i_s, rng=9)
figures.show(i_n, i_a, m_a, i_s)

# %%
# ``threshold`` is the noise level above which a pixel is anomalous, ``beta_range`` the share of the normal image in the
# blend, and ``perlin_scale`` the exponent of the finest lattice.

figures.vary(
    partial(insertion.perlin_noise_pattern, anom_source_img=i_s, rng=9),
    i_n,
    threshold=[0.3, 0.5, 0.6],
    beta_range=[(0, 0), (0.4, 0.4), (0.8, 0.8)],
    perlin_scale=[2, 4, 7],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
