"""
Randomly augmented CutPaste
===========================

A source is deformed and augmented by random operations, and the masked part of it is moved onto the foreground and
pasted. With the mask of a real defect as ``source_mask`` it makes many defects from one; without, Perlin noise draws
the shape. It comes from BGAD, `Yao et al., Explicit Boundary Guided Semi-Push-Pull Contrastive Learning for
Supervised Anomaly Detection, CVPR 2023 <https://arxiv.org/abs/2207.01463>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_5.jpg")
i_s = figures.photograph("anom_source_imgs/gravel.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.rand_augmented_cut_paste(i_n, anom_source_img=i_s, rng=6)
figures.show(i_n, i_a, m_a, i_s)

# %%
# ``n_aug`` is how many of the ten operations are applied, and ``in_fg_region`` whether an anomaly beside the
# foreground is moved onto it.

figures.vary(
    partial(insertion.rand_augmented_cut_paste, anom_source_img=i_s, rng=6),
    i_n,
    n_aug=[0, 3, 10],
    in_fg_region=[False, True],
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
