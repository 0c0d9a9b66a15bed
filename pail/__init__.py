"""PAI-Lib: pseudo-anomaly insertion. Artificial defects in normal images, with exact masks."""

try:
    import cv2 as _cv2  # noqa: F401
except ImportError as error:
    raise ImportError(
        "OpenCV cannot be imported. opencv-python and opencv-python-headless must not both be installed: "
        "remove both, then install one of them; on a machine without libGL, that is opencv-python-headless"
    ) from error

from typing import TYPE_CHECKING, Any

from pail import masks, roi
from pail._version import __version__
from pail.beyond.presets import PRESETS, Preset
from pail.beyond.real.defects import Defect, Defects
from pail.call.replay import replay
from pail.call.result import PseudoAnomaly
from pail.call.show import show
from pail.citation import cite
from pail.core.composite import Insertion
from pail.core.image import NormalImage, data_range_of
from pail.core.ops import Box
from pail.core.sampler import Sampler
from pail.dataset.store import StoppedError
from pail.pai import Anomaly_Insertion
from pail.pixels.augmenter import import_imgaug
from pail.pixels.placing import place
from pail.registry import ELEVEN, TECHNIQUES, Technique, register, unregister
from pail.warm import warm_up

if TYPE_CHECKING:
    from pail.dataset.generate import generate

__all__ = [
    "ELEVEN",
    "PRESETS",
    "TECHNIQUES",
    "Anomaly_Insertion",
    "Box",
    "Defect",
    "Defects",
    "Insertion",
    "NormalImage",
    "Preset",
    "PseudoAnomaly",
    "Sampler",
    "StoppedError",
    "Technique",
    "__version__",
    "cite",
    "data_range_of",
    "generate",
    "import_imgaug",
    "masks",
    "place",
    "register",
    "replay",
    "roi",
    "show",
    "unregister",
    "warm_up",
]


RENAMED = {"Draw": "Sampler", "Frame": "NormalImage"}  # names of 0.2.0, which will be removed in 0.4.0


def __getattr__(name: str) -> Any:
    """Import `generate` at its first use, because its dependencies take time to import."""
    if name == "generate":
        from pail.dataset.generate import generate

        return generate
    if name in RENAMED:
        import warnings

        warnings.warn(
            f"pail.{name} is now pail.{RENAMED[name]}; the old name will be removed in 0.4.0",
            DeprecationWarning,
            stacklevel=2,
        )
        return globals()[RENAMED[name]]
    raise AttributeError(f"module 'pail' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
