"""The command line in this process, for tests of what a command says and writes and not of processes."""

import contextlib
import io
import os
import warnings
from typing import NamedTuple

from pail.cli import run


class Done(NamedTuple):
    """What is left of a command, under the names that subprocess has for it."""

    returncode: int
    stdout: str
    stderr: str


def unmeasured() -> dict[str, str]:
    """The environment for a process that is stopped or runs out of space: the report on coverage waits for no such one,
    which would say on its streams that it cannot save what it has measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def pail_command(*arguments) -> Done:
    """`pail` with these arguments, by the entry point of the installed script, which ends with SystemExit."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("default")  # shown, as to a user; in the tests they are errors
        try:
            run([*map(str, arguments)])
        except SystemExit as ended:
            return Done(ended.code or 0, out.getvalue(), err.getvalue())
    raise AssertionError("the command did not end")
