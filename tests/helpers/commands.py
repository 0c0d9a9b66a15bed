"""Run the command line in this process, for tests of its output and files."""

import contextlib
import io
import os
import warnings
from typing import NamedTuple

from pail.cli import run


class Done(NamedTuple):
    """The result of a command, with the names of subprocess."""

    returncode: int
    stdout: str
    stderr: str


def unmeasured() -> dict[str, str]:
    """The environment for a process that is stopped or runs out of disk space, without coverage measurement, whose
    error messages would appear in the output."""
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
