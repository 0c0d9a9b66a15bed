"""`pail tune`: a page on one's own machine on which settings are found by looking. Only this package imports gradio."""

from pail.app.serve import tune

__all__ = ["tune"]
