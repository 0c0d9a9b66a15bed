"""The command line: `pail preview`, `tune`, `generate`, `techniques`, `cite` and `replay`."""

from pail.cli import generate, info, preview, replay, tune  # noqa: F401 (each adds its commands to `app`)
from pail.cli.main import app, run

__all__ = ["app", "run"]
