"""
Fractals
========

A random iterated function system draws a fractal, and a jittered, turned square of a source is pasted in its shape.
The ragged outlines imitate rust, splashes, breaks and burns. It comes from `Xia et al., FractalAD: A simple
industrial anomaly detection method using fractal anomaly generation and backbone knowledge distillation, 2023
<https://arxiv.org/abs/2301.12739>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_4.jpg")
i_s = figures.photograph("anom_source_imgs/gravel.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.fract_aug(i_n, anom_source_img=i_s, rng=7)
figures.show(i_n, i_a, m_a, i_s)

# %%
# ``size_range`` is the side of the square as a fraction of the image's, ``n_maps`` the number of maps of the
# system, and ``system`` chooses between random maps, as in the paper, and those of Barnsley's fern.

figures.vary(
    partial(insertion.fract_aug, anom_source_img=i_s, rng=7),
    i_n,
    size_range=[(0.1, 0.1), (0.3, 0.3), (0.5, 0.5)],
    n_maps=[2, 3, 5],
    system=["random", "barnsley"],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
