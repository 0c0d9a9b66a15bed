"""What several techniques share: noise, foreground, places, photometric changes, superpixels."""
