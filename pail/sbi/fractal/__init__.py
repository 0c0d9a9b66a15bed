"""A fractal-shaped patch (FractalAD)."""

from pail.sbi.fractal.technique import fract_aug as fract_aug
