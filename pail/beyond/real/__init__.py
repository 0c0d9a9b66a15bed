"""Real defects: a bank of them, and the technique that moves them to new places."""
