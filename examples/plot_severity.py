"""
How strong
==========

``severity`` scales size and contrast together: 0 is the faintest anomaly that a technique makes, 1 the strongest. A
pair ``(0.2, 0.6)`` is a range to draw from, and None, the default, keeps the ranges of the technique's own keywords.
With the same ``rng`` the anomaly stays at its place and grows.
"""

import figures

from pail import pai

coins = figures.photograph("example_img/example_1.jpg")
bricks = figures.photograph("example_img/example_0.jpg")
board = figures.photograph("example_img/example_3.jpg")
wood = figures.photograph("anom_source_imgs/wood.jpg")
insertion = pai.Anomaly_Insertion()

rows = [{}, {}, {}]
for severity in (0, 0.25, 0.5, 0.75, 1):
    stain = insertion.perlin_with_roi_anomaly(coins, wood, p_texture=1, severity=severity, rng=6)
    splash = insertion.fract_aug(bricks, anom_source_img=wood, severity=severity, rng=7)
    patch = insertion.random_perturbation(board, patch_number=(2, 2), severity=severity, rng=1)
    rows[0][f"perlin_with_roi_anomaly, {severity}"] = figures.outlined(coins, *stain)
    rows[1][f"fract_aug, {severity}"] = figures.outlined(bricks, *splash)
    rows[2][f"random_perturbation, {severity}"] = figures.outlined(board, *patch)
figures.grid(rows)

# %%
# Run as a script, the figure is saved as PNG.

figures.save()
