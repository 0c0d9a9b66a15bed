"""`pail.generate`: a labeled data set on disk from a folder of normal images."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pail.beyond.real.defects import Defects
from pail.core.checks import as_number
from pail.dataset.finish import Summary, finish
from pail.dataset.layouts import notes
from pail.dataset.make import BANKS, FOREGROUNDS, NORMALS, SOURCES
from pail.dataset.recipe import combined
from pail.dataset.run import check_claim, claim_output, locked, prepare_run
from pail.dataset.work import work

__all__ = ["Summary", "generate"]


def generate(
    normals: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    number: int | None = None,
    per_image: int | None = None,
    techniques: str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
    weights: Sequence[float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    preset: str | None = None,
    defects: Defects | str | os.PathLike[str] | None = None,
    anomalies: int | tuple[int, int] | None = None,
    roi: str | os.PathLike[str] | None = None,
    severity: float | tuple[float, float] | None = None,
    size: int | tuple[int, int] | None = None,
    fit: Literal["crop", "pad", "stretch"] | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    seed: int | None = None,
    layout: Literal["mvtec", "flat", "yolo"] | None = None,
    purpose: Literal["training", "validation"] | None = None,
    val_share: float | None = None,
    test_share: float | None = None,
    classes: str | None = None,
    format: Literal["png", "tiff", "jpg", "bmp"] | None = None,
    compression: int | None = None,
    coco: bool | None = None,
    segmentation: Literal["rle", "polygon"] | None = None,
    data_range: float | tuple[float, float] | Literal["auto"] | None = None,
    source_range: float | None = None,
    alpha: bool | None = None,
    exclude: str | Sequence[str] | None = None,
    follow_links: bool | None = None,
    column: str | None = None,
    pages: Literal["first", "all"] | None = None,
    max_pixels: int | None = None,
    workers: int | None = None,
    shard: str | tuple[int, int] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verify: bool = False,
    progress: bool = False,
) -> Summary:
    """Make a labeled data set of pseudo-anomalies from a folder of normal
    images.

    The parameters from `number` to `max_pixels` are the options of a
    recipe. None means the value in the file `recipe`, or the default
    that is given below.

    Parameters
    ----------
    normals : path, URL, glob pattern or sequence of paths
        Folder of normal images, searched with all folders below: a local
        path, or a URL that fsspec knows. Or a glob pattern, a list of
        paths, or a file that lists them (``.txt``, ``.csv``, ``.json``),
        relative to its folder. A category in the layout of MVTec AD stands
        for its ``train/good``; masks and labels beside images are left out.
    out : path or URL
        Folder of the data set; new or empty.
    source : path, URL, glob pattern or sequence of paths, optional
        Source images, selected in the same ways. Without any the techniques
        use the normal image itself.
    recipe : path, optional
        A recipe file (TOML). Options that are passed take precedence over
        those of the file.
    number : int, optional
        Number of anomalous images in the data set, at least 1. By default
        `per_image` decides; for a validation set, as many as good images.
    per_image : int, optional
        Number of anomalous images for each normal image they may be made
        of, at least 1; 1 by default, or as many as give the preset's share.
        Not together with `number`.
    techniques : str, sequence of str or dict, optional
        Names of techniques or families, or a table for each technique with
        its weight and keywords, as in a recipe file. All by default.
    weights : sequence of float, optional
        Relative probability of each entry of `techniques`, at least 0. All
        equal by default.
    options : dict of str to dict, optional
        Keywords of techniques by their names, for example
        ``{"cutpaste": {"area_ratio": (0.02, 0.1)}}``.
    preset : str, optional
        A key of `pail.PRESETS`: the techniques, keywords and, unless
        `number` or `per_image` is given, the share of anomalous images of a
        paper. Not together with names or `weights`; `options` add to it.
    defects : Defects or path, optional
        A bank of real defects, or the folder or annotation file from which
        `Defects.read` reads it, for `real_defect`, which alone is drawn
        where no `techniques` are given.
    anomalies : int or (int, int), optional
        Number of anomalies in an anomalous image, or its range, at least
        1; 1 by default.
    roi : "auto", "none", "foreground" or path, optional
        Where anomalies may be inserted: "auto" (the default) is the object
        of images that show one on a background, and everywhere in images
        of a texture, which "foreground" names as well; "none" is
        everywhere. A path is a folder of masks, which are named as the
        images are.
    severity : float or (float, float), optional
        Strength of the anomalies or its range, from 0 (faintest) to 1
        (strongest). By default each technique draws from its own ranges.
    size : int or (int, int), optional
        Pixels of the shorter side of all images, whose proportions are
        kept; or (height, width). 1 to 32766. By default images keep their
        sizes.
    fit : {"crop", "pad", "stretch"}, optional
        How an image of other proportions is fitted to (height, width); its
        center is cropped by default.
    tile : int, optional
        Pixels of a side of square tiles into which images are cut after
        the insertion, from 32; all images must be as large. Then a line of
        the manifest is a tile, and `number` and `per_image` count images
        before they are cut. By default images are not cut.
    overlap : int, optional
        Pixels that a tile shares with the next, at most half of `tile`; 0
        by default. The last tiles of a row or column are shifted inward.
    seed : int, optional
        From 0 to 2 ** 63 - 1; 0 by default. The same seed makes the same
        bytes from the same files.
    layout : {"mvtec", "flat", "yolo"}, optional
        Folders and names of the files, "mvtec" by default.
    purpose : {"training", "validation"}, optional
        What the set is for, "training" by default. A validation set is one
        split, in which half of the images are good.
    val_share, test_share : float, optional
        Share of the normal images in the val and in the test split, 0 to 1
        and at most 1 together. By default 0 and 0.3 in the layout "mvtec",
        0.3 and 0 in "yolo", 0 and 0 in "flat".
    classes : str, optional
        Classes of the labels of YOLO and COCO: "technique" (the default)
        for one class each, "kind" for the kinds of real defects and the
        other techniques, "single" for one class in all, or the name of that
        class.
    format : {"png", "tiff", "jpg", "bmp"}, optional
        File format of the images, "png" by default. Masks are always PNG.
    compression : int, optional
        Compression level of PNG files, from 0 (fastest) to 9 (smallest); 1
        by default.
    coco : bool, optional
        Whether annotations in the format of COCO are written, too; False by
        default.
    segmentation : {"rle", "polygon"}, optional
        How these annotations describe masks, "rle" by default.
    data_range : float, (float, float) or "auto", optional
        The values that the images use: the highest, (lowest, highest), or
        "auto" for the 0.1 and 99.9 % quantiles of at most 100 of the
        images. By default the range of their data type.
    source_range : float, optional
        The highest value of the source images. By default that of their
        data type.
    alpha : bool, optional
        Whether the last of two or four channels is alpha. By default the
        files decide.
    exclude : str or sequence of str, optional
        Patterns such as ``"*_mask.png"`` of paths or names that are left
        out. None by default.
    follow_links : bool, optional
        Whether links to folders are followed, False by default.
    column : str, optional
        The column with the paths in a list of several columns (CSV), or the
        key in a JSON list of objects. By default the only one, or the one
        called path, file, image or filename.
    pages : {"first", "all"}, optional
        Which images of a TIFF file with several are used, "first" by
        default.
    max_pixels : int, optional
        Largest number of pixels of an image that is read, at least 1; about
        179 million by default.
    workers : int, optional
        Number of processes, 1 to 1024; one for each core by default. Inside
        ``joblib.parallel_config`` its backend is used (loky, threading,
        multiprocessing, dask, ...), and its ``n_jobs`` if `workers` is
        not given. The bytes do not depend on it.
    shard : str or (int, int), optional
        ``"2/4"`` makes the second of four parts. Together, the folders and
        the concatenated manifests of the parts are the whole set.
    resume : bool, default False
        Resume an interrupted run. The result has the same files as a run
        that was not interrupted. Files that are missing or have another
        size are made again.
    overwrite : bool, default False
        Delete the existing data set in `out` first.
    verify : bool, default False
        Keep checksums of all files that are read. A resumed run compares
        them instead of the times of writing, and compares the checksums of
        the files that were made.
    progress : bool, default False
        Whether a progress bar is shown.

    Returns
    -------
    Summary
        Counts, skipped files and paths.

    Raises
    ------
    TypeError, ValueError
        If an option is wrong, there is no image, `normals` holds more than
        normal images, or `out` holds something else. Nothing has been
        touched then.
    StoppedError
        If the disk is full or a file cannot be written. Pass
        ``resume=True`` to continue.
    InsertionError
        If a technique fails for a reason that lies in no file.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, cv2, pail
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "parts").mkdir()
    >>> for i in range(4):
    ...     part = np.full((64, 64, 3), 40 * i + 60, np.uint8)
    ...     _ = cv2.imwrite(str(folder / "parts" / f"{i}.png"), part)
    >>> summary = pail.generate(
    ...     folder / "parts", folder / "set", number=6, workers=1
    ... )
    >>> summary.good, summary.anomalies
    (4, 6)
    """
    checked = combined(
        recipe,
        number=number,
        per_image=per_image,
        techniques=techniques,
        weights=weights,
        options=options,
        preset=preset,
        defects=defects,
        anomalies=anomalies,
        roi=roi,
        severity=severity,
        size=size,
        fit=fit,
        tile=tile,
        overlap=overlap,
        seed=seed,
        layout=layout,
        purpose=purpose,
        val_share=val_share,
        test_share=test_share,
        classes=classes,
        format=format,
        compression=compression,
        coco=coco,
        segmentation=segmentation,
        data_range=data_range,
        source_range=source_range,
        alpha=alpha,
        exclude=exclude,
        follow_links=follow_links,
        column=column,
        pages=pages,
        max_pixels=max_pixels,
    )
    bank = defects if isinstance(defects, Defects) else None
    count = None if workers is None else int(as_number("workers", workers, 1, 1024, integer=True))
    run = prepare_run(normals, out, source, checked, shard, verify=verify, bank=bank)
    check_claim(run, resume=resume, overwrite=overwrite)
    for note in notes(checked):
        warnings.warn(note, stacklevel=2)
    try:
        with locked(run.out):
            claim_output(run, resume=resume, overwrite=overwrite)
            if progress and run.values:
                sys.stderr.write(f"data_range: {run.values}\n")
            work(run, count, progress=progress)
            return finish(run)
    finally:
        NORMALS.forget(run.inputs.run)
        SOURCES.forget(run.inputs.run)
        FOREGROUNDS.forget(run.inputs.run)
        BANKS.forget(run.inputs.run)
