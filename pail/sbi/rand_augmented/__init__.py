"""Augmented parts of a source, moved onto the object (BGAD)."""

from pail.sbi.rand_augmented.technique import rand_augmented_cut_paste as rand_augmented_cut_paste
