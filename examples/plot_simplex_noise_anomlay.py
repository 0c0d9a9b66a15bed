"""
Simplex noise
=============

Smooth simplex noise in several octaves is added to a small rectangle: the structure below stays visible and becomes
blotchy. What it imitates are wear, corrosion and dirt. It comes from RD++, `Tien et al., Revisiting Reverse
Distillation for Anomaly Detection, CVPR 2023
<https://openaccess.thecvf.com/content/CVPR2023/html/\
Tien_Revisiting_Reverse_Distillation_for_Anomaly_Detection_CVPR_2023_paper.html>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_1.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.simplex_noise_anomlay(i_n, rng=9)
figures.show(i_n, i_a, m_a)

# %%
# ``size_range`` is the rectangle's sides as fractions of the image's, ``amplitude`` the strength of the first octave as
# a fraction of full scale, and ``frequency`` the wavelength as a fraction of the image's shorter side. The last two are
# shown on a larger rectangle.

figures.vary(
    partial(insertion.simplex_noise_anomlay, rng=9),
    i_n,
    size_range=[(0.04, 0.06), (0.04, 0.125), (0.3, 0.5)],
)
figures.vary(
    partial(insertion.simplex_noise_anomlay, size_range=(0.3, 0.5), rng=9),
    i_n,
    amplitude=[0.05, 0.2, 0.5],
    frequency=[0.02, 0.125, 0.5],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
