"""The command line in this process, for tests of what a command says and writes and not of processes."""

import contextlib
import io
from typing import NamedTuple

from pail.cli import run


class Done(NamedTuple):
    """What is left of a command, under the names that subprocess has for it."""

    returncode: int
    stdout: str
    stderr: str


def pail_command(*arguments) -> Done:
    """`pail` with these arguments, by the entry point of the installed script, which ends with SystemExit."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run([*map(str, arguments)])
        except SystemExit as ended:
            return Done(ended.code or 0, out.getvalue(), err.getvalue())
    raise AssertionError("the command did not end")
