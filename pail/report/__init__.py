"""Pages and sheets to look at: preview and report."""
