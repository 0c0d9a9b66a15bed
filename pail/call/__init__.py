"""One call, from its arguments to its result, and doing it again."""
