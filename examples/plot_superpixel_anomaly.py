"""
Superpixels
===========

The image is cut into superpixels by SLIC, and some of them are filled with the same places of a source. The outline
follows the edges of the image, so that it looks like a chip, spalled plaster or a foreign body rather than like a
stamp. It comes from TASAD, `Shah et al., Two-stage coarse-to-fine image anomaly segmentation and detection model,
Image and Vision Computing, 2023 <https://doi.org/10.1016/j.imavis.2023.104817>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_0.jpg")
i_s = figures.photograph("anom_source_imgs/gravel.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.superpixel_anomaly(i_n, anom_source_img=i_s, rng=3)
figures.show(i_n, i_a, m_a, i_s)

# %%
# ``n_segments`` are the numbers of superpixels one of which is drawn, ``fraction`` is the share of them that is filled,
# and ``compactness`` weighs distance against colour: the more, the rounder.

figures.vary(
    partial(insertion.superpixel_anomaly, anom_source_img=i_s, rng=3),
    i_n,
    n_segments=[(30,), (150,), (250,)],
    fraction=[0.01, 0.05, 0.1],
    compactness=[8, 20, 80],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
