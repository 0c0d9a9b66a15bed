"""Several anomalies on one image: which is on top, and what the later ones leave of the earlier ones."""

from __future__ import annotations

import cv2
import numpy as np

from pail.call.state import Call
from pail.core.box import Box
from pail.core.composite import is_visible, restored
from pail.core.frame import Frame


def overlap(call: Call, box: Box, m_a: np.ndarray) -> np.ndarray | None:
    """Where an anomaly lies on earlier ones, uint8 {0, 255} on the box; None for nowhere."""
    assert call.m_a is not None
    both: np.ndarray = cv2.bitwise_and(call.m_a[..., 0][box.slices], m_a[..., 0][box.slices])
    return both if cv2.hasNonZero(both) else None


def shows(call: Call, i_a: np.ndarray, m_a: np.ndarray) -> bool:
    """Whether an anomaly on earlier ones can be seen against the normal image, which it could put back."""
    box = Box.around(m_a)
    return overlap(call, box, m_a) is None or is_visible(call.frame, i_a, box, m_a[..., 0][box.slices])


def covers(call: Call, m_a: np.ndarray) -> bool:
    """Whether nothing would be left of an earlier anomaly that has pixels on top now."""
    box = Box.around(m_a)
    where = overlap(call, box, m_a)
    if where is None:
        return False
    instances = instances_of(call)
    lost = np.bincount(instances[box.slices][where > 0])
    return any(lost[number] == call.areas[number - 1] for number in np.flatnonzero(lost).tolist())


def lay(call: Call, frame: Frame, i_a: np.ndarray, m_a: np.ndarray) -> None:
    """Lay an anomaly over the earlier ones, which are in `frame`: the mask is the union, less what it put back."""
    instances, box = instances_of(call), Box.around(m_a)
    assert call.m_a is not None
    top, whole, part = m_a[..., 0][box.slices].copy(), call.m_a[..., 0][box.slices], instances[box.slices]
    where = overlap(call, box, m_a)
    if where is not None:
        for number, lost in enumerate(np.bincount(part[where > 0], minlength=len(call.areas) + 1)[1:].tolist()):
            call.areas[number] -= lost
        back = restored(frame, i_a, box, where)
        top[back > 0] = 0
        whole[back > 0] = 0
        part[back > 0] = 0
    whole[top > 0] = 255
    call.areas.append(cv2.countNonZero(top))
    part[top > 0] = len(call.areas)


def instances_of(call: Call) -> np.ndarray:
    """The number of the anomaly on top, made when a second one comes."""
    if call.instances is None:
        assert call.m_a is not None
        call.instances = (call.m_a[..., 0] > 0).astype(np.uint16)
        call.areas.append(cv2.countNonZero(call.m_a))
    return call.instances
