"""Techniques beyond the eleven."""
