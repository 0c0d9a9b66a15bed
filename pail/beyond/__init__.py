"""Beyond the eleven: real defects, published techniques, and presets that reproduce a paper's training data."""
