"""Builds the documentation site: `python docs/build.py [OUT]`, build/site by default. A warning is an error.

The checkout is copied first and the copy is built, because the build writes pages and pictures next to its sources. So
the checkout stays clean, links such as `../examples/quickstart.py` work, and several builds do not interfere.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import main

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = shutil.ignore_patterns(
    ".*", "venv", "build", "dist", "results", "__pycache__", "*.egg-info", "auto_examples"
)


def build(out: Path) -> int:
    """Build the site from nothing; the exit status of Sphinx."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder, "checkout"), ignore=NOT_COPIED))
        doctrees = str(Path(folder, "doctrees"))
        return main(["-b", "html", "-W", "--keep-going", "-q", "-d", doctrees, str(copy / "docs"), str(out)])


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site").resolve()))
