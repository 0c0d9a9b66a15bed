"""Simplex noise on a rectangle (RD++)."""

from pail.sfi.simplex_noise.technique import simplex_noise_anomlay as simplex_noise_anomlay
