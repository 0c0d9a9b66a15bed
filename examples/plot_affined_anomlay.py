"""
Affined tiles
=============

The image is cut into tiles, some of which are warped by a random affine map: kept as they are (AA), recoloured (AAC)
or filled with a source that may be damaged first (AAS). The anomalies cover much of the image at every scale, from
scattered specks to large shards. It comes from PAI-Lib's own paper, `Shah, Urmonov and Kim, IEEE Access 2025
<https://doi.org/10.1109/ACCESS.2025.3580864>`_.
"""

from functools import partial

import figures

from pail import pai

i_n = figures.photograph("example_img/example_2.jpg")
i_s = figures.photograph("anom_source_imgs/wood.jpg")
insertion = pai.Anomaly_Insertion()
i_a, m_a = insertion.affined_anomlay(i_n, anom_source_img=i_s, rng=9)
figures.show(i_n, i_a, m_a, i_s)

# %%
# ``variant`` chooses among the three, ``patch_sizes`` are the sides of the tiles as fractions of the image's, and
# ``p_patch`` is the chance that a tile is warped.

figures.vary(
    partial(insertion.affined_anomlay, anom_source_img=i_s, rng=9),
    i_n,
    patch_sizes=[(1 / 16,), (1 / 8,), (1 / 4,)],
    p_patch=[0.1, 0.3, 0.9],
)
figures.vary(partial(insertion.affined_anomlay, patch_sizes=(1 / 4,), rng=1), i_n, variant=["AA", "AAC"])

# %%
# Run as a script, the figures are saved as PNG.

figures.save()
