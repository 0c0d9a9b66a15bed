"""A transform for torchvision v2 pipelines that inserts an anomaly into image and mask."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from pail._install import install_hint

try:
    import torch
    from torch.utils._pytree import tree_flatten, tree_unflatten
except ImportError as error:
    raise ImportError(f"pail.torchvision needs PyTorch: {install_hint('torch')}") from error

from pail.core.checks import as_number, describe
from pail.inserter import Inserter, check_range
from pail.io import pil
from pail.masks import boxes as mask_boxes
from pail.masks import pieces
from pail.reading import drawn_source
from pail.types import DataRangeLike

__all__ = ["InsertAnomaly"]

DTYPES = (torch.uint8, torch.uint16, torch.float16, torch.bfloat16, torch.float32, torch.float64)


class InsertAnomaly(torch.nn.Module):
    """Insert pseudo-anomalies into the images of a pipeline of
    `torchvision.transforms.v2`.

    It accepts the same inputs as those transforms: an image and a
    `tv_tensors.Mask`, as arguments or anywhere in a dict, tuple or list. It
    returns the same structure, in which everything else is unchanged. The
    image is a tensor (C, H, W), a batch (B, C, H, W), in which each image
    gets its own anomaly, or a PIL image, which keeps its mode. If there is
    no `tv_tensors.Image`, the first plain tensor is the image. For a single
    image, ``transform(image)`` returns ``(image, mask)``; if a dict
    contains an image but no mask, the mask is added as ``"mask"``.

    How a mask is changed depends on its shape:

    - (H, W) and (1, H, W), a semantic mask: the anomaly is drawn into it;
    - (B, H, W) and (B, 1, H, W) with a batch: each image's anomaly is drawn
      into its mask;
    - (N, H, W) with a single image, the masks of N instances: each
      connected piece of the anomaly is appended as an instance. A single
      mask (1, H, W) is an instance mask if the sample has one box.

    With `label`, each connected piece of the anomaly also adds a box to the
    sample's `tv_tensors.BoundingBoxes`, in their format, and the label to
    ``"labels"``, which has to be in the same dict.

    Parameters
    ----------
    source : path, glob pattern, image, sequence of paths or images, or callable, optional
        The source images, see `pail.torch.PseudoAnomalyDataset`.
    p : float, default 0.5
        Probability in [0, 1] that an image gets an anomaly.
    techniques, weights, n_anomalies, options, roi, severity : optional
        As for `Anomaly_Insertion.insert`.
    mask_value : int, default 1
        Value of the anomaly in masks that are not bool.
    label : int, optional
        The class of the anomaly, for samples with boxes. None leaves boxes
        and labels unchanged.
    data_range : float, (float, float) or "auto", optional
        The full-scale value if it is not that of the dtype (1 for floats).
    defects : Defects or path, optional
        A bank of real defects for `real_defect`, or the folder or
        annotation file from which `Defects.read` reads it. If no
        `techniques` are given, only `real_defect` is used.
    preset : str, optional
        A key of `pail.PRESETS`: the techniques and options of a paper.

    Raises
    ------
    TypeError
        If there is no image, if a structure other than a dict has no mask,
        or if an image has another dtype; if `label` is given and a sample
        with boxes has no labels; or for a PIL image of mode 1, P or PA,
        whose pixels cannot have new values: convert it to L or RGB first.
    ValueError
        If a float image has values outside [0, 1] (insert before Normalize,
        not after it), or if masks, boxes or labels do not fit the image or
        each other.

    Notes
    -----
    Random numbers come from PyTorch's generator: `torch.manual_seed` makes
    a run reproducible, and the workers of a DataLoader differ. CUDA tensors
    are changed on the CPU and returned on their device.

    Pieces of a few pixels get boxes and instances as well;
    `torchvision.transforms.v2.SanitizeBoundingBoxes` removes small ones.

    Examples
    --------
    >>> import torch
    >>> from pail.torchvision import InsertAnomaly
    >>> image, mask = InsertAnomaly(p=1)(torch.rand(3, 64, 64))
    >>> image.shape, mask.shape, int(mask.max())
    (torch.Size([3, 64, 64]), torch.Size([1, 64, 64]), 1)
    """

    def __init__(
        self,
        source: Any = None,
        *,
        p: float = 0.5,
        techniques: str | Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        n_anomalies: int | Sequence[int] = 1,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        roi: Any = None,
        severity: Any = None,
        mask_value: int = 1,
        label: int | None = None,
        data_range: DataRangeLike | None = None,
        defects: Any = None,
        preset: str | None = None,
    ) -> None:
        super().__init__()
        self.label = None if label is None else int(as_number("label", label, 0, 2**31 - 1, integer=True))
        self.p = as_number("p", p, 0, 1)
        self.mask_value = int(as_number("mask_value", mask_value, 1, 255, integer=True))
        self._inserter = Inserter(
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

    def extra_repr(self) -> str:
        return f"p={self.p:g}"

    def forward(self, *inputs: Any) -> Any:
        """Return the inputs with an anomaly in the image, in the masks and, with `label`, among the boxes."""
        if not inputs:
            raise TypeError("the transform must get an image, or a sample that contains one, got nothing")
        sample = inputs if len(inputs) > 1 else inputs[0]
        leaves, structure = tree_flatten(sample)
        place = _image_place(leaves)
        masks = [i for i, leaf in enumerate(leaves) if _is_tv(leaf, "Mask")]
        is_nested = isinstance(sample, Mapping | list | tuple) and not any(leaves[place] is v for v in _values(sample))
        if not masks and (len(leaves) > 1 or is_nested):
            raise TypeError("the sample must contain a tv_tensors.Mask, into which the anomaly is drawn, got none")
        boxes = [i for i, leaf in enumerate(leaves) if _is_tv(leaf, "BoundingBoxes")]
        if len(boxes) > 1 and self.label is not None:
            raise ValueError(f"the sample must contain one tv_tensors.BoundingBoxes for `label`, got {len(boxes)}")
        count = len(leaves[boxes[0]]) if len(boxes) == 1 else None
        lead, size = _shape_of(leaves[place])
        kinds = [_mask_kind(leaves[i], lead, size, count) for i in masks]
        if "instances" in kinds and boxes and self.label is None:
            raise ValueError("`label` must be given for a sample with instance masks and boxes, got None")
        labels = self._labels_place(sample, leaves, boxes, lead, size) if self.label is not None and boxes else None

        leaves[place], marks = self._insert(leaves[place])
        if not masks:
            return _with_mask(sample, leaves[place], _as_mask(marks[..., None, :, :] * self.mask_value))
        found = np.zeros((0, *size), np.uint8)
        if "instances" in kinds and marks.any():  # a mask for each piece, which needs much memory if there are many
            found = pieces(marks.cpu().numpy() > 0)
        for i, kind in zip(masks, kinds, strict=True):
            leaves[i] = self._appended(leaves[i], found) if kind == "instances" else self._united(leaves[i], marks)
        if labels is not None and marks.any():
            corners = mask_boxes(marks.cpu().numpy() > 0)
            leaves[boxes[0]] = _with_boxes(leaves[boxes[0]], corners)
            leaves[labels] = torch.cat([leaves[labels], leaves[labels].new_full((len(corners),), self.label)])
        return tree_unflatten(leaves, structure)

    def _labels_place(
        self, sample: Any, leaves: list[Any], boxes: list[int], lead: tuple[int, ...], size: tuple[int, int]
    ) -> int:
        """The index of the labels of the boxes among the values. Raises if the labels or the boxes do not fit."""
        found = leaves[boxes[0]]
        if lead:
            raise ValueError("boxes must belong to a single image (C, H, W) for `label`, got a batch")
        if tuple(found.canvas_size) != size:
            raise ValueError(f"the boxes must have the image's canvas_size {size}, got {tuple(found.canvas_size)}")
        home = _holder(sample, found) or {}
        labels = next((v for k, v in home.items() if str(k).lower() == "labels" and isinstance(v, torch.Tensor)), None)
        if labels is None:
            raise TypeError('the dict with boxes must also hold a tensor "labels" for `label`, got none')
        if labels.shape != (len(found),):
            raise ValueError(f'"labels" must have one entry for each of {len(found)} boxes, got {tuple(labels.shape)}')
        return next(i for i, leaf in enumerate(leaves) if leaf is labels)

    def _insert(self, image: Any) -> tuple[Any, torch.Tensor]:
        """The image, and where it was changed: uint8 {0, 1} (..., H, W)."""
        if isinstance(image, Image.Image):
            return self._insert_pil(image)
        _check(image)
        flat = image.detach().reshape(-1, *image.shape[-3:])
        pairs = [self._insert_tensor(single) for single in flat]
        images = torch.stack([i for i, _ in pairs]).reshape(image.shape).to(image.device)
        marks = torch.stack([m for _, m in pairs]).reshape(*image.shape[:-3], *image.shape[-2:])
        return _like(images, image), marks.to(image.device)

    def _insert_tensor(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        plain = image.as_subclass(torch.Tensor).cpu()
        if plain.dtype in (torch.float16, torch.bfloat16):
            plain = plain.float()  # and back, without loss of precision outside of the mask
        array = np.ascontiguousarray(plain.permute(1, 2, 0).numpy())
        check_range(array, self._inserter.insertion.data_range)
        i_a, m_a = self._insert_array(array)
        return torch.from_numpy(i_a).permute(2, 0, 1).to(image.dtype), torch.from_numpy(m_a)

    def _insert_pil(self, image: Image.Image) -> tuple[Image.Image, torch.Tensor]:
        """Insert into a PIL image, keeping its mode. Returns the same object if it gets no anomaly."""
        words = self._drawn()
        if words is None:
            return image, torch.zeros(image.height, image.width, dtype=torch.uint8)
        pil.check_open(image)
        array, alpha = pil.to_array("image", image)
        check_range(array, self._inserter.insertion.data_range)
        i_a, m_a = self._inserter(array, words, alpha=alpha if array.ndim == 3 else None)
        return pil.with_pixels(image, i_a, m_a[..., 0]), torch.from_numpy(m_a[..., 0] // 255)

    def _insert_array(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        words = self._drawn()
        if words is None:
            return image.copy(), np.zeros(image.shape[:2], np.uint8)
        i_a, m_a = self._inserter(image, words)
        return i_a, m_a[..., 0] // 255

    def _drawn(self) -> list[int] | None:
        """The seed of an anomaly, or None for no anomaly."""
        words = torch.randint(2**31, (4,)).tolist()
        return words[1:] if words[0] < self.p * 2**31 else None

    def _united(self, mask: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
        """The semantic mask with the anomaly drawn into it."""
        marks = marks.to(mask.device, torch.bool)
        marks = marks if mask.ndim == marks.ndim else marks.unsqueeze(-3)
        return _like(torch.where(marks, self._value(mask), mask), mask)

    def _appended(self, mask: torch.Tensor, found: np.ndarray) -> torch.Tensor:
        """Instance masks, followed by those of the pieces of the anomaly."""
        marks = torch.from_numpy(found > 0).to(mask.device)
        plain = mask.as_subclass(torch.Tensor)
        return _like(torch.cat([plain, torch.where(marks, self._value(mask), plain.new_zeros(()))]), mask)

    def _value(self, mask: torch.Tensor) -> torch.Tensor:
        value = True if mask.dtype == torch.bool else self.mask_value
        return torch.as_tensor(value, dtype=mask.dtype, device=mask.device)


def _shape_of(image: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    """The leading dimensions of a batch, () for a single image, and height and width."""
    if isinstance(image, Image.Image):
        return (), (image.height, image.width)
    _check(image)
    return tuple(image.shape[:-3]), (image.shape[-2], image.shape[-1])


def _mask_kind(mask: torch.Tensor, lead: tuple[int, ...], size: tuple[int, int], boxes: int | None) -> str:
    """ "semantic", or "instances" if there is one mask for each box."""
    shape = tuple(mask.shape)
    if shape[-2:] != size:
        raise ValueError(f"the mask must have the image's height and width {size}, got {shape}")
    rest = shape[:-2]
    if lead:
        if rest not in (lead, (*lead, 1)):
            wanted = f"{(*lead, *size)} or {(*lead, 1, *size)}"
            raise ValueError(f"the mask of a batch must have shape {wanted}, one for each image, got {shape}")
        return "semantic"
    if len(rest) > 1:
        raise ValueError(f"the mask must have shape (H, W), (1, H, W) or (N, H, W), got {shape}")
    if rest in ((), (1,)) and (rest == () or boxes != 1):
        return "semantic"
    if boxes is not None and rest != (boxes,):
        raise ValueError(f"there must be as many instance masks as boxes, {boxes}, got {shape}")
    return "instances"


def _with_mask(sample: Any, image: Any, mask: torch.Tensor) -> Any:
    """Add the mask to a sample that is only an image, or a dict or list of one."""
    if isinstance(sample, Mapping):
        return {next(iter(sample)): image, "mask": mask}
    return [image, mask] if isinstance(sample, list) else (image, mask)


def _holder(sample: Any, value: Any) -> Mapping[Any, Any] | None:
    """The dict in a structure that directly contains a value."""
    if isinstance(sample, Mapping) and any(entry is value for entry in sample.values()):
        return sample
    return next((found for entry in _values(sample) if (found := _holder(entry, value)) is not None), None)


def _values(sample: Any) -> Iterable[Any]:
    """The entries of a dict, list or tuple."""
    return sample.values() if isinstance(sample, Mapping) else sample if isinstance(sample, tuple | list) else ()


def _with_boxes(boxes: Any, corners: np.ndarray) -> torch.Tensor:
    """The boxes, followed by the axis-aligned boxes of the anomaly in the same format."""
    from torchvision import tv_tensors

    left, top, right, bottom = torch.from_numpy(corners).to(boxes.device).T
    width, height = right - left, bottom - top
    name, zero = boxes.format.value, torch.zeros_like(left)
    x, y = (left + width / 2, top + height / 2) if name.startswith("CXCY") else (left, top)
    columns = {
        "XYXY": (left, top, right, bottom),
        "XYWH": (left, top, width, height),
        "CXCYWH": (x, y, width, height),
        "XYWHR": (left, top, width, height, zero),
        "CXCYWHR": (x, y, width, height, zero),
        "XYXYXYXY": (left, top, right, top, right, bottom, left, bottom),
    }
    if name not in columns:
        raise ValueError(f"the boxes must have a format that is one of {', '.join(columns)}, got {name}")
    added = torch.stack([column.to(torch.float64) for column in columns[name]], dim=1).to(boxes.dtype)
    return tv_tensors.wrap(torch.cat([boxes.as_subclass(torch.Tensor), added]), like=boxes)


def _image_place(leaves: list[Any]) -> int:
    """The index of the image among the values: a tv_tensors.Image, else a PIL image, else the first plain tensor.

    Plain tensors with fewer than three dimensions are labels.
    """
    for is_image in (
        lambda leaf: _is_tv(leaf, "Image"),
        lambda leaf: isinstance(leaf, Image.Image),
        lambda leaf: type(leaf) is torch.Tensor and leaf.ndim > 2,
        lambda leaf: type(leaf) is torch.Tensor,
    ):
        indices = [i for i, leaf in enumerate(leaves) if is_image(leaf)]
        if indices:
            return indices[0]
    raise TypeError(f"the sample must contain an image, a tensor (C, H, W) or a PIL image, got {describe(leaves)}")


def _is_tv(value: Any, kind: str) -> bool:
    """Whether a value is a tv_tensor of that kind; there is none unless torchvision was imported."""
    module = sys.modules.get("torchvision.tv_tensors")
    return module is not None and isinstance(value, getattr(module, kind))


def _like(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The tensor with the type of the other one."""
    if type(other) is torch.Tensor:
        return tensor
    from torchvision import tv_tensors

    return tv_tensors.wrap(tensor.as_subclass(torch.Tensor), like=other)


def _as_mask(mask: torch.Tensor) -> torch.Tensor:
    module = sys.modules.get("torchvision.tv_tensors")
    return mask if module is None else module.Mask(mask)


def _check(image: torch.Tensor) -> None:
    if image.dtype not in DTYPES:
        names = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
        raise TypeError(f"the image must be a tensor of dtype {names}, got {image.dtype}")
    if image.ndim < 3 or 0 in image.shape:
        raise ValueError(f"the image must have shape (C, H, W) or (B, C, H, W), got {tuple(image.shape)}")
