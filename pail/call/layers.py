"""Several anomalies on one image: which is on top, and what the later ones leave of the earlier ones."""

from __future__ import annotations

import cv2
import numpy as np

from pail.call.state import Call
from pail.core.box import Box
from pail.core.composite import is_visible, restored
from pail.core.image import NormalImage


def overlap(call: Call, box: Box, m_a: np.ndarray) -> np.ndarray | None:
    """Where an anomaly lies on earlier ones, uint8 {0, 255} on the box; None for nowhere."""
    assert call.m_a is not None
    both: np.ndarray = cv2.bitwise_and(call.m_a[..., 0][box.slices], m_a[..., 0][box.slices])
    return both if cv2.hasNonZero(both) else None


def shows(call: Call, i_a: np.ndarray, m_a: np.ndarray) -> bool:
    """Whether an anomaly on earlier ones can be seen against the normal image, which it could put back."""
    box = Box.around(m_a)
    return overlap(call, box, m_a) is None or is_visible(call.image, i_a, box, m_a[..., 0][box.slices])


def covers(call: Call, m_a: np.ndarray) -> bool:
    """Whether nothing would be left of an earlier anomaly that has pixels on top now."""
    box = Box.around(m_a)
    where = overlap(call, box, m_a)
    if where is None:
        return False
    lost = _lost(call, instances_of(call)[box.slices], where)
    return any(pixels > 0 and pixels == area for pixels, area in zip(lost, call.areas, strict=True))


def _lost(call: Call, part: np.ndarray, where: np.ndarray) -> list[int]:
    """How many of its pixels on top each earlier anomaly loses."""
    if len(call.areas) == 1:
        return [cv2.countNonZero(where)]
    return np.bincount(part[where > 0], minlength=len(call.areas) + 1)[1:].tolist()


def lay(call: Call, image: NormalImage, i_a: np.ndarray, m_a: np.ndarray) -> None:
    """Lay an anomaly over the earlier ones, which are in `image`: the mask is the union, less what it put back."""
    instances, box = instances_of(call), Box.around(m_a)
    assert call.m_a is not None
    top, whole, part = m_a[..., 0][box.slices] > 0, call.m_a[..., 0][box.slices], instances[box.slices]
    where = overlap(call, box, m_a)
    if where is not None:
        call.areas[:] = [area - lost for area, lost in zip(call.areas, _lost(call, part, where), strict=True)]
    np.copyto(whole, 255, where=top)
    np.copyto(part, len(call.areas) + 1, where=top)
    area = int(np.count_nonzero(top))
    if where is not None:
        back = restored(image, i_a, box, where) > 0
        np.copyto(whole, 0, where=back)
        np.copyto(part, 0, where=back)
        area -= int(np.count_nonzero(back))
    call.areas.append(area)


def instances_of(call: Call) -> np.ndarray:
    """The number of the anomaly on top, made when a second one comes."""
    if call.instances is None:
        assert call.m_a is not None
        call.instances = (call.m_a[..., 0] > 0).astype(np.uint16)
        call.areas.append(cv2.countNonZero(call.m_a))
    return call.instances
