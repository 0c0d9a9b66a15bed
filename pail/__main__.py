"""`python -m pail`: the command line; without arguments, the versions and the table of techniques."""

from __future__ import annotations

import sys

from pail import TECHNIQUES, __version__
from pail.call.record import stack


def main() -> None:
    """Run a command, or print the versions and the techniques."""
    if len(sys.argv) > 1:
        from pail.cli import run

        run()
        return
    versions = ", ".join(f"{name} {version}" for name, version in stack().items())
    lines = [f"PAI-Lib {__version__} ({versions})", ""]
    width = max(len(name) for name in TECHNIQUES)
    lines += [f"{name:{width}}  {t.family:6}  {t.summary} ({t.reference})" for name, t in TECHNIQUES.items()]
    sys.stdout.write("\n".join([*lines, "", "python -m pail --help lists the commands", ""]))


if __name__ == "__main__":
    main()
