"""`python -m pail`: the version, the stack, and the techniques."""

from __future__ import annotations

import sys

from pail import TECHNIQUES, __version__
from pail.call.record import stack


def main() -> None:
    """Print what is installed and the table of techniques."""
    versions = ", ".join(f"{name} {version}" for name, version in stack().items())
    lines = [f"PAI-Lib {__version__} ({versions})", ""]
    width = max(len(name) for name in TECHNIQUES)
    lines += [f"{name:{width}}  {t.family:6}  {t.summary} ({t.reference})" for name, t in TECHNIQUES.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
