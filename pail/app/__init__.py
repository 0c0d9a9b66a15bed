"""`pail tune`: a local page on which settings are chosen by looking at anomalies. Only this package imports gradio."""

from pail.app.serve import tune

__all__ = ["tune"]
