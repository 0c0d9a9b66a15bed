"""
Perlin noise on the foreground
==============================

As in DRAEM, Perlin noise makes the mask, but only its part on the foreground is kept. Half of the anomalies are a
texture, the other half the image's own structure, shuffled in a grid and coloured. It comes from `Yang et al.,
MemSeg: A semi-supervised method for image surface defect detection using differences and commonalities, EAAI 2023
<https://arxiv.org/abs/2205.00908>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_1.jpg")
i_s = figures.photograph("anom_source_imgs/wood.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.perlin_with_roi_anomaly(i_n, anom_source_img=i_s, rng=6)
figures.show(i_n, i_a, m_a, i_s)

# %%
# ``p_texture`` is the chance of the source rather than of the shuffled image, ``transparency_range`` the opacity, and
# ``use_mask`` whether the anomaly keeps to the foreground.

figures.vary(
    partial(insertion.perlin_with_roi_anomaly, anom_source_img=i_s, rng=6),
    i_n,
    p_texture=[1, 0],
    transparency_range=[(0.2, 0.2), (1, 1)],
    use_mask=[True, False],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
