"""
Which, and how many
===================

``insert`` draws techniques by name or family, with weights, and inserts one anomaly or several; the mask is their
union. ``pail.masks.difference`` keeps the part of a mask that visibly changed, and ``pail.masks.soft`` grades it by
how much.
"""

import figures

from pail import masks, pai

i_n = figures.photograph("example_img/example_2.jpg")
sources = [figures.photograph(f"anom_source_imgs/{name}.jpg") for name in ("wood", "gravel", "grass")]
techniques = ["cutpaste_scar", "perlin_noise_pattern", "superpixel_anomaly", "rand_augmented_cut_paste", "fract_aug"]
insertion = pai.Anomaly_Insertion()

rows = []
for index in (7, 9, 22):
    result = insertion.insert(i_n, sources, techniques=techniques, n_anomalies=(1, 3), rng=(11, index))
    i_a, m_a = result
    rows.append(
        {
            "\n".join(result.techniques): figures.outlined(i_n, i_a, m_a),
            "mask": m_a[..., 0],
            "visibly changed": masks.difference(i_n, i_a, m_a)[..., 0],
            "graded": masks.soft(i_n, i_a, m_a, full=0.5)[..., 0],
        }
    )
figures.grid(rows)

# %%
# Run as a script, the figure is saved as PNG.

figures.save()
