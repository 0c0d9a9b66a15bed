"""Code that several techniques share: noise, foreground, placing, photometric changes, superpixels."""
