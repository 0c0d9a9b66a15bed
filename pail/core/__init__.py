"""One image and one call: what comes in is checked here, and every output is built here."""
