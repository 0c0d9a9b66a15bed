"""
Hard augmentation CutPaste
==========================

The image is turned, its quadrants change places or its colours are jittered, and a rectangle of that copy is pasted
at the place it was taken from. What it imitates are parts in the wrong orientation or colour: here a field of bricks
is laid upright. It comes from `Song et al., AnoSeg: Anomaly Segmentation Network Using Self-Supervised Learning, 2021
<https://arxiv.org/abs/2110.03396>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_0.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.hard_aug_cutpaste(i_n, rng=7)
figures.show(i_n, i_a, m_a)

# %%
# ``area_ratio`` is the rectangle's share of the image; ``p_rotate``, ``p_perm`` and ``p_jitter`` are the chances of the
# three augmentations. In the second row each of them acts alone.

figures.vary(
    partial(insertion.hard_aug_cutpaste, rng=7),
    i_n,
    area_ratio=[(0.01, 0.02), (0.05, 0.06), (0.2, 0.21)],
)
alone = {"p_rotate": 0, "p_perm": 0, "p_jitter": 0, "angles": (90,), "area_ratio": (0.15, 0.16), "rng": 7}
figures.grid(
    [
        {
            f"{chance}=1": figures.outlined(i_n, *insertion.hard_aug_cutpaste(i_n, **alone | {chance: 1}))
            for chance in ("p_rotate", "p_perm", "p_jitter")
        }
    ]
)

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
