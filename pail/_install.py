"""How the library and its extras are installed: the only place to change when it is published on a package index."""

from __future__ import annotations

SOURCE = "."  # the argument of pip install; after a release, the name on the package index
WHERE = " in the folder of the project"  # where to run pip; empty after a release


def install_hint(extra: str = "") -> str:
    """The command that installs the library with an extra and where to run it, for messages."""
    what = f'"{SOURCE}[{extra}]"' if extra else SOURCE
    return f"pip install {what}{WHERE}"
