"""A user's script that strict type checkers have to accept. tests/core/test_typing.py checks and runs it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import pail
from pail import pai
from pail.types import ImageLike

image: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
insertion = pai.Anomaly_Insertion(transform=True, rng=0, data_range=None, source_range=None, alpha=None)
part = np.zeros((64, 64), np.bool_)
part[8:40, 8:40] = True


def visible_share(normal: ImageLike, seed: int) -> float:
    result = insertion.cutpaste(normal, [0.02, 0.15], roi=part, severity=(0.2, 0.8), rng=(seed, 1))
    i_a, m_a = result
    assert i_a.shape == result.i_a.shape and m_a.dtype == result.m_a.dtype
    return float(np.mean(pail.masks.difference(image, i_a, m_a) > 0))


mixed: pail.PseudoAnomaly = insertion.insert(
    image,
    [image, 255 - image],
    techniques=["SBI", "cutpaste"],
    weights=[2, 1],
    n_anomalies=(1, 3),
    options={"cutpaste": {"area_ratio": (0.02, 0.15)}},
    roi="foreground",
    rng=np.random.default_rng(1),
)
again = pail.replay(mixed.record, image, [image, 255 - image])
warped = insertion.affined_anomlay(image, variant="AAC", severity=0.5)


def bright_square(image: pail.NormalImage, sampler: pail.Sampler, *, size: float = 0.2) -> pail.Insertion:
    side = max(1, round(sampler.scaled("side", size / 2, size) * image.side))
    box = pail.place(image, sampler, side, side)
    return pail.Insertion(box, np.full_like(image.crop(box), image.max_value), opacity=sampler.opacity())


pail.register("bright_square", bright_square, family="SFI", summary="a bright square")
shares: list[float] = [visible_share(image, seed) for seed in range(3)]
total: float = sum(shares) + float((again.i_a == warped.i_a).mean())
