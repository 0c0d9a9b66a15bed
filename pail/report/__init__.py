"""Pages and sheets for people: preview and report."""
