"""`pail tune`: a page on your own machine on which you find settings by looking. Only this package imports gradio."""

from pail.app.serve import tune

__all__ = ["tune"]
