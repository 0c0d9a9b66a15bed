"""The image and the random numbers of one call: inputs are checked here, and every output is built here."""
