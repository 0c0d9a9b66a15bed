"""One call, from its arguments to its result, and its replay."""
