"""Words that stand beside the names of techniques: in folders of data sets, in masks' classes, in choices."""

from __future__ import annotations

GOOD = "good"  # the folder of normal images
MIXED = "mixed"  # the folder of images with anomalies of several techniques
OWN = (  # all that a data set can have at its top
    ".pail",
    "train",
    "validation",
    "test",
    "ground_truth",
    "images",
    "masks",
    "labels",
    "manifest.jsonl",
    "skipped.jsonl",
    "dataset.json",
    "data.yaml",
    "annotations.json",
    "annotations_train.json",
    "annotations_val.json",
    "annotations_test.json",
    "recipe.toml",
    "report.html",
)
WORDS = ("all", "none", "auto", "foreground", "technique", "single", "anomaly", "val", "validation", "shards")
