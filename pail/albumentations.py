"""A transform for albumentations pipelines that inserts an anomaly into image and mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pail._install import install_hint

try:
    from albumentations import DualTransform
    from albumentations.core.type_definitions import Targets
except ImportError as error:
    raise ImportError(f"pail.albumentations needs AlbumentationsX: {install_hint('albumentations')}") from error

from pail.core.checks import as_number, describe
from pail.inserter import Inserter, check_range
from pail.masks import boxes as mask_boxes
from pail.reading import drawn_source
from pail.types import DataRangeLike

__all__ = ["InsertAnomaly"]

REFUSED = ("volume", "volumes", "mask3d", "masks3d")


class InsertAnomaly(DualTransform):
    """Insert pseudo-anomalies into the images of an albumentations
    pipeline.

    It works with AlbumentationsX and with albumentations 2, and handles
    these targets:

    - ``image`` and additional images of `additional_targets`, such as
      ``image2``: an anomaly is inserted into each of them with the same
      random numbers. They must have the same height and width. If dtype and
      channels agree, place and size of the anomaly agree as well, unless
      the technique depends on the content of the image;
    - ``mask``, ``masks`` and their additional targets: the anomaly is drawn
      into every mask, wherever any of the images was changed;
    - ``images``: each is treated like ``image``. If there is no ``image``,
      ``masks`` are the masks of ``images``, one for each;
    - ``bboxes``, if `label` is given: a box with that label for each
      connected piece of the anomaly, in the format and the label fields of
      the pipeline;
    - ``keypoints`` are unchanged; ``volume``, ``volumes``, ``mask3d``
      and ``masks3d`` are refused, as a pseudo-anomaly has no depth.

    No mask is added to a sample without one.

    Parameters
    ----------
    source : path, glob pattern, image, sequence of paths or images, or callable, optional
        The source images, see `pail.torch.PseudoAnomalyDataset`. A pipeline
        can be saved if this is a path, a glob pattern or None.
    techniques, weights, n_anomalies, options, roi, severity : optional
        As for `Anomaly_Insertion.insert`.
    mask_value : int, default 1
        Value of the anomaly in the masks.
    label : int, float, str or dict, optional
        The label of the anomaly's boxes; with several label fields, a dict
        with a label for each. None leaves boxes unchanged.
    data_range : float, (float, float) or "auto", optional
        The full-scale value if it is not that of the dtype (1 for floats).
    p : float, default 0.5
        Probability in [0, 1] that an image gets an anomaly.
    defects : Defects or path, optional
        A bank of real defects for `real_defect`, or the folder or
        annotation file from which `Defects.read` reads it. If no
        `techniques` are given, only `real_defect` is used. A pipeline can
        be saved if this is a path.
    preset : str, optional
        A key of `pail.PRESETS`: the techniques and options of a paper.

    Raises
    ------
    TypeError
        If a sample contains no image, or a target that is refused.
    ValueError
        If a float image has values outside [0, 1] (insert before Normalize,
        not after it); if images or masks differ in height or width; or if
        `label` does not fit the label fields of the pipeline.

    Notes
    -----
    Random numbers come from the pipeline: its `seed` or `set_random_seed`
    makes them reproducible, and `ReplayCompose` inserts the same anomaly
    into another image.

    Pieces of a few pixels get boxes as well; `min_area` of `BboxParams`
    removes small ones.

    Examples
    --------
    >>> import albumentations as A
    >>> import numpy as np
    >>> from pail.albumentations import InsertAnomaly
    >>> pipeline = A.Compose([InsertAnomaly(techniques="SFI", p=1)], seed=0)
    >>> image = np.full((64, 64, 3), 90, np.uint8)
    >>> sample = pipeline(image=image, mask=np.zeros((64, 64), np.uint8))
    >>> sample["image"].shape, int(sample["mask"].max())
    ((64, 64, 3), 1)
    """

    _targets = tuple(
        getattr(Targets, name)
        for name in ("IMAGE", "IMAGES", "MASK", "MASKS", "BBOXES", "KEYPOINTS")
        if hasattr(Targets, name)  # albumentations 2 has no IMAGES and MASKS, but only IMAGE and MASK
    )

    def __init__(
        self,
        source: Any = None,
        techniques: str | Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        n_anomalies: int | Sequence[int] = 1,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        roi: Any = None,
        severity: Any = None,
        mask_value: int = 1,
        label: Any = None,
        data_range: DataRangeLike | None = None,
        p: float = 0.5,
        defects: Any = None,
        preset: str | None = None,
    ) -> None:
        super().__init__(p=as_number("p", p, 0, 1))
        self.defects, self.preset = defects, preset
        self.source, self.techniques, self.weights, self.n_anomalies = source, techniques, weights, n_anomalies
        self.options, self.roi, self.severity, self.data_range = options, roi, severity, data_range
        self.mask_value = int(as_number("mask_value", mask_value, 1, 255, integer=True))
        self.label = _as_label(label)
        self._insert = Inserter(
            drawn_source(source),
            roi,
            data_range,
            techniques=techniques,
            weights=weights,
            n_anomalies=n_anomalies,
            options=options,
            severity=severity,
            defects=defects,
            preset=preset,
        )

    if hasattr(DualTransform, "sample_parameters"):  # AlbumentationsX

        def sample_parameters(self, params: Any, data: Any, targets: Any, sampling: Any) -> Any:
            """Draw the random numbers of the anomaly, which are used for all targets."""
            from albumentations.core.transform_params import SampledParams

            return SampledParams(params=_words(sampling.random_generator))

    else:

        def get_params_dependent_on_data(self, params: Any, data: Any) -> dict[str, list[int]]:
            """Draw the random numbers of the anomaly, which are used for all targets."""
            return _words(self.random_generator)

    def apply_with_params(self, params: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Insert the anomaly into all targets of the sample together."""
        words = getattr(params, "params", params)["words"]
        kinds = {name: self._additional_targets.get(name, name) for name, value in kwargs.items() if value is not None}
        for name, kind in kinds.items():
            if kind in REFUSED:
                raise TypeError(
                    f"`{name}` must not be given, because a pseudo-anomaly has no depth; pass slices as `images`"
                )
        results = {
            name: [self._inserted(name, image, words) for image in _each(kwargs[name], kind)]
            for name, kind in kinds.items()
            if kind in ("image", "images")
        }
        changed = {
            name: _alike(kwargs[name], kinds[name], [i_a for i_a, _ in pairs]) for name, pairs in results.items()
        }
        marks = _union({name: [m_a for _, m_a in pairs] for name, pairs in results.items()})
        # If there are only `images`, each of `masks` belongs to one of them.
        own = [m_a for _, m_a in results["images"]] if list(results) == ["images"] else None
        for name, kind in kinds.items():
            if kind in ("mask", "masks"):
                masks = _each(kwargs[name], kind)
                if kind == "masks" and own is not None and len(own) != len(masks):
                    raise ValueError(f"`{name}` must have one mask for each of {len(own)} images, got {len(masks)}")
                drawn = own if kind == "masks" and own is not None else [marks] * len(masks)
                united = [self._united(name, *pair) for pair in zip(masks, drawn, strict=True)]
                changed[name] = _alike(kwargs[name], kind, united)
            elif kind == "bboxes" and self.label is not None:
                changed[name] = self._with_boxes(name, kwargs[name], marks)
        return {**kwargs, **changed}

    def _inserted(self, name: str, image: np.ndarray, words: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """The pseudo-anomalous image, and a bool array (H, W) of where it was changed."""
        try:
            check_range(image, self.data_range)
            i_a, m_a = self._insert(image, words)
        except (TypeError, ValueError) as error:
            raise (TypeError if isinstance(error, TypeError) else ValueError)(f"`{name}`: {error}") from error
        return i_a, m_a[..., 0] > 0

    def _united(self, name: str, mask: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """The mask with the anomaly, in all its channels."""
        if mask.shape[:2] != marks.shape:
            raise ValueError(f"`{name}` must have the image's height and width {marks.shape}, got {mask.shape[:2]}")
        united = mask.copy()
        united[marks] = self.mask_value
        return united

    def _with_boxes(self, name: str, boxes: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """The boxes together with those of the anomaly, in the form of albumentations: four fractions and a column for
        each label."""
        processor = self.get_processor("bboxes")
        fields = list(processor.params.label_fields or ()) if processor is not None else []
        if any(field.startswith("_") for field in fields):
            raise ValueError("`label` must be None in a pipeline that binds instances, got " + describe(self.label))
        height, width = marks.shape
        corners = mask_boxes(marks) / (width, height, width, height)
        labels = self._encoded(name, processor, fields) if fields else self._inside(name, boxes)
        rows = np.hstack([corners, np.tile(labels, (len(corners), 1))]) if len(labels) else corners
        if boxes.size == 0:
            return rows.astype(np.float32)
        return np.vstack([boxes, rows]).astype(np.result_type(boxes, np.float32))

    def _encoded(self, name: str, processor: Any, fields: list[str]) -> list[float]:
        """The label as the pipeline encodes each label field: a number instead of a str."""
        given = self.label if isinstance(self.label, Mapping) else dict.fromkeys(fields, self.label)
        if set(given) != set(fields):
            raise ValueError(
                f"`label` must contain a label for each of {', '.join(fields)}, got {describe(self.label)}"
            )
        columns = []
        for field in fields:
            known = processor.label_manager.metadata.get(name, {}).get(field)
            if known is not None and known.is_numerical and isinstance(given[field], str):
                raise ValueError(f"`label` must be a number, as the labels of `{field}` are, got {given[field]!r}")
            columns.append(float(processor.label_manager.process_field(name, field, [given[field]])[0, 0]))
        return columns

    def _inside(self, name: str, boxes: np.ndarray) -> list[float]:
        """The label as a column of the boxes themselves, if the pipeline has no label fields."""
        if boxes.size and boxes.shape[1] == 4:
            return []
        if isinstance(self.label, str | Mapping):
            raise ValueError(f"`label` must be a number if `{name}` has no label fields, got {describe(self.label)}")
        return [float(self.label)] * (boxes.shape[1] - 4 if boxes.size else 1)


def _words(rng: np.random.Generator) -> dict[str, list[int]]:
    return {"words": rng.integers(2**32, size=4).tolist()}


def _each(value: Any, kind: str) -> list[Any]:
    """The images or masks of a target."""
    return list(value) if kind in ("images", "masks") else [value]


def _alike(value: Any, kind: str, changed: list[np.ndarray]) -> Any:
    """The changed images or masks as an array, list or tuple, like the target."""
    if kind not in ("images", "masks"):
        return changed[0]
    if isinstance(value, np.ndarray):
        return np.stack(changed) if changed else value
    return type(value)(changed)


def _union(marks: dict[str, list[np.ndarray]]) -> np.ndarray:
    """A mask of where any of the images was changed."""
    found: np.ndarray | None = None
    for name, entries in marks.items():
        for entry in entries:
            if found is not None and found.shape != entry.shape:
                raise ValueError(
                    f"`{name}` must have the other images' height and width {found.shape}, got {entry.shape}"
                )
            found = entry if found is None else found | entry
    if found is None:
        raise TypeError("the sample must contain `image` or `images` with an image, got none")
    return found


def _as_label(label: Any) -> Any:
    entries = label.values() if isinstance(label, Mapping) else [label]
    for entry in entries:
        if entry is not None and (isinstance(entry, bool) or not isinstance(entry, int | float | str | np.number)):
            raise TypeError(f"`label` must be a number, a str, or a dict of them by label field, got {describe(label)}")
    return dict(label) if isinstance(label, Mapping) else label
