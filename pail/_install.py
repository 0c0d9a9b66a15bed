"""How the library and its extras are installed: the one place to change when there is a release."""

from __future__ import annotations

SOURCE = "."  # what pip is given; the name on the package index, once there is one
WHERE = " in the folder of the project"  # where that holds; nothing, once there is a release


def install_hint(extra: str = "") -> str:
    """The command that installs the library, with an extra, and where to run it, for messages."""
    what = f'"{SOURCE}[{extra}]"' if extra else SOURCE
    return f"pip install {what}{WHERE}"
