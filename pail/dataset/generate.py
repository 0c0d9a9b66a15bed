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
    """Generate a labeled data set of pseudo-anomalies from a folder of
    normal images.

    The parameters from `number` to `max_pixels` are the options of a
    recipe. None means the value of the file `recipe`, or else the default
    that is given below.

    Parameters
    ----------
    normals : path, URL, glob pattern or sequence of paths
        Folder of normal images, which is searched with its subfolders: a
        local path, or a URL that fsspec supports. Also a glob pattern, a
        list of paths, or a file that lists paths relative to its folder
        (``.txt``, ``.csv``, ``.json``). A category in the layout of MVTec
        AD stands for its ``train/good``; masks and labels next to images
        are left out.
    out : path or URL
        Folder of the data set, which must be new or empty.
    source : path, URL, glob pattern or sequence of paths, optional
        Source images, selected in the same ways. Without them, the
        techniques use the normal image itself.
    recipe : path, optional
        A recipe file (TOML). Options that are passed take precedence over
        those of the file.
    number : int, optional
        Number of anomalous images in the data set, at least 1. By default
        `per_image` determines it; a validation set has as many anomalous as
        good images.
    per_image : int, optional
        Number of anomalous images for each normal image of the splits that
        have anomalies, at least 1. The default is 1, or the number that
        gives the preset's share. It cannot be combined with `number`.
    techniques : str, sequence of str or dict, optional
        Names of techniques or families, or a dict of each technique with
        its weight and keywords, as in a recipe file. By default the eleven
        and the registered techniques.
    weights : sequence of float, optional
        Relative probabilities of the entries of `techniques`, at least 0;
        equal by default.
    options : dict of str to dict, optional
        Keywords of techniques by their names, for example
        ``{"cutpaste": {"area_ratio": (0.02, 0.1)}}``.
    preset : str, optional
        A key of `pail.PRESETS`: the techniques and keywords of a paper and,
        unless `number` or `per_image` is given, its share of anomalous
        images. It cannot be combined with names or `weights`; `options` add
        keywords.
    defects : Defects or path, optional
        A bank of real defects for `real_defect`, or the folder or
        annotation file from which `Defects.read` reads it. If no
        `techniques` are given, only `real_defect` is used.
    anomalies : int or (int, int), optional
        Number of anomalies in an anomalous image, at least 1, or a range of
        numbers; 1 by default.
    roi : "auto", "none", "foreground" or path, optional
        Where anomalies may be inserted. "auto" (the default) is the object
        in images that show one on a background, and anywhere in images of a
        texture; "foreground" means the same. "none" is anywhere. A path is
        a folder of masks with the names of the images.
    severity : float or (float, float), optional
        Severity of the anomalies or a range, from 0 (faintest) to 1
        (strongest). By default each technique draws from its own ranges.
    size : int or (int, int), optional
        Length of the shorter side of all images in pixels, keeping their
        proportions; or (height, width). From 1 to 32766. By default images
        keep their sizes.
    fit : {"crop", "pad", "stretch"}, optional
        How an image with other proportions is fitted to (height, width):
        "crop" by default.
    tile : int, optional
        Side in pixels of square tiles into which images are cut after the
        insertion, at least 32. All images must be at least as large. Each
        line of the manifest is then a tile, whereas `number` and
        `per_image` count whole images. By default images are not cut.
    overlap : int, optional
        Number of pixels that neighboring tiles share, at most half of
        `tile`; 0 by default. The last tiles of a row or column are shifted
        inward.
    seed : int, optional
        From 0 to 2 ** 63 - 1; 0 by default. The same seed makes the same
        bytes from the same files.
    layout : {"mvtec", "flat", "yolo"}, optional
        Folders and names of the files, "mvtec" by default.
    purpose : {"training", "validation"}, optional
        Purpose of the set, "training" by default. A validation set has one
        split, in which half of the images are good.
    val_share, test_share : float, optional
        Share of the normal images in the val and in the test split, 0 to 1
        and at most 1 together. By default 0 and 0.3 in the layout "mvtec",
        0.3 and 0 in "yolo", 0 and 0 in "flat".
    classes : str, optional
        Classes of the labels of YOLO and COCO: "technique" (the default)
        for one class per technique; "kind" for the kinds of real defects,
        and one class for each other technique; "single" for one class in
        total; or the name of a single class.
    format : {"png", "tiff", "jpg", "bmp"}, optional
        File format of the images, "png" by default. Masks are always PNG.
    compression : int, optional
        Compression level of PNG files, from 0 (fastest) to 9 (smallest); 1
        by default.
    coco : bool, optional
        Whether annotations in COCO format are written in addition; False by
        default.
    segmentation : {"rle", "polygon"}, optional
        How these annotations describe masks, "rle" by default.
    data_range : float, (float, float) or "auto", optional
        The values that the images use: the highest value, (lowest,
        highest), or "auto" for the 0.1 % and 99.9 % quantiles of at most
        100 of the images. By default the range of their dtype.
    source_range : float, optional
        The highest value of the source images. By default that of their
        dtype.
    alpha : bool, optional
        Whether the last of two or four channels is alpha. By default this
        is read from the files.
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
        Which pages of a multi-page TIFF file are used, "first" by default.
    max_pixels : int, optional
        Largest number of pixels of an image, at least 1; about 179 million
        by default. Files with more pixels are refused.
    workers : int, optional
        Number of processes, 1 to 1024; one for each core by default. Inside
        ``joblib.parallel_config``, its backend is used (loky, threading,
        multiprocessing, dask, ...), and its ``n_jobs`` if `workers` is not
        given. The bytes do not depend on the number of processes.
    shard : str or (int, int), optional
        ``"2/4"`` makes the second of four parts. The merged folders and the
        concatenated manifests of all parts are the whole set.
    resume : bool, default False
        Resume an interrupted run. The result has the same files as an
        uninterrupted run. Files that are missing or have another size are
        made again.
    overwrite : bool, default False
        Delete the existing data set in `out` first.
    verify : bool, default False
        Store checksums of all input files. A resumed run compares them
        instead of modification times, and also compares the checksums of
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
        If an option is wrong, there is no image, `normals` contains other
        images than normal ones, or `out` contains other files. Nothing has
        been changed in this case.
    StoppedError
        If the disk is full or a file cannot be written. Pass
        ``resume=True`` to continue.
    InsertionError
        If a technique fails for a reason that is not caused by a file.

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
