"""A bank of real defects, and the technique that moves them to new places."""
