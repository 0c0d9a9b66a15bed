"""PAI-Lib: pseudo-anomaly insertion. Realistic pseudo-defects in normal images, with exact masks."""

from pail import masks, roi
from pail._version import __version__
from pail.pai import TECHNIQUES, Anomaly_Insertion
from pail.replay import replay

__all__ = ["TECHNIQUES", "Anomaly_Insertion", "__version__", "masks", "replay", "roi"]
