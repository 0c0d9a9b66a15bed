"""
Where
=====

Every technique takes ``roi``, the region of interest: a mask of the image's height and width, or ``"foreground"``. No
pixel of the anomaly's mask lies outside it, and the anomaly is placed inside rather than cut down.
"""

import cv2
import figures
import numpy as np

from pail import pai, roi

i_n = figures.photograph("example_img/example_1.jpg")
i_s = figures.photograph("anom_source_imgs/wood.jpg")
insertion = pai.Anomaly_Insertion()

coins = roi.foreground(i_n)  # bool (H, W); all true on a texture without background
large = cv2.circle(np.zeros(i_n.shape[:2], np.uint8), (234, 142), 38, 255, -1)  # a mask of one's own: the largest coin

free = insertion.perlin_noise_pattern(i_n, i_s, rng=9)
kept = insertion.perlin_noise_pattern(i_n, i_s, rng=9, roi=coins)
first = {"without a region": free, "roi=coins": kept}
free = insertion.fract_aug(i_n, anom_source_img=i_s, rng=6)
kept = insertion.fract_aug(i_n, anom_source_img=i_s, rng=6, roi=large)
second = {"without a region": free, "roi=large": kept}
figures.grid(
    [
        {"normal image": i_n, name: region}
        | {title: figures.outlined(i_n, *result) for title, result in results.items()}
        for name, region, results in (("coins", coins, first), ("large", large, second))
    ]
)

# %%
# Run as a script, the figure is saved as PNG.

figures.save()
