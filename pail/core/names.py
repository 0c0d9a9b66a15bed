"""Reserved words that are used next to the names of techniques: for folders and classes of data sets, and for
choices."""

from __future__ import annotations

GOOD = "good"  # the folder of normal images
MIXED = "mixed"  # the folder of images with anomalies of several techniques
OWN = (  # all names at the top level of a data set
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
