"""A transform for pipelines of torchvision v2: image and mask in, both out, with an anomaly."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

try:
    import torch
    from torch.utils._pytree import tree_flatten, tree_unflatten
except ImportError as error:
    raise ImportError("pail.torchvision needs PyTorch: pip install 'pai-lib[torch]'") from error

from pail.core.checks import as_number, describe
from pail.inserter import Inserter, check_range
from pail.io import pil
from pail.reading import as_source

__all__ = ["InsertAnomaly"]

DTYPES = (torch.uint8, torch.uint16, torch.float16, torch.bfloat16, torch.float32, torch.float64)


class InsertAnomaly(torch.nn.Module):
    """Insert pseudo-anomalies into images on their way through a pipeline of
    `torchvision.transforms.v2`.

    It takes what those transforms take: an image and a `tv_tensors.Mask`,
    as arguments or anywhere in a dict, tuple or list, and returns the same
    structure; everything else in it is handed through. The image is a
    tensor (C, H, W), a batch (B, C, H, W) with a draw for each image, or a
    PIL image, which keeps its mode; a plain tensor counts as the image where there is no
    `tv_tensors.Image`, and only the first. The mask, (H, W), (1, H, W), or
    with B in front, is united with the anomaly's. An image alone,
    ``transform(image)``, comes back as ``(image, mask)``.

    Parameters
    ----------
    source : path, glob pattern, image, sequence of paths or images, or callable, optional
        Where techniques that take a source find it, see
        `pail.torch.PseudoAnomalyDataset`.
    p : float, default 0.5
        Chance in [0, 1] that an image gets an anomaly.
    techniques, weights, n_anomalies, options, roi, severity : optional
        As for `Anomaly_Insertion.insert`.
    mask_value : int, default 1
        What the anomaly is in masks that are not bool.
    data_range : float, optional
        The value of full scale where it is not the dtype's (1 for floats).

    Raises
    ------
    TypeError
        If there is no image, or a structure without a mask, or an image of
        another dtype; for a PIL image of mode 1, P or PA, whose pixels
        cannot take new values: convert it to L or RGB first.
    ValueError
        If a float image leaves [0, 1]: insert before Normalize, not after
        it.

    Notes
    -----
    Randomness is PyTorch's: `torch.manual_seed` repeats a run, and
    DataLoader workers differ. CUDA tensors are changed on the CPU and come
    back on their device.

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
        data_range: float | None = None,
    ) -> None:
        super().__init__()
        self.p = as_number("p", p, 0, 1)
        self.mask_value = int(as_number("mask_value", mask_value, 1, 255, integer=True))
        self._inserter = Inserter(
            as_source(source),
            roi,
            data_range,
            techniques=techniques,
            weights=weights,
            n_anomalies=n_anomalies,
            options=options,
            severity=severity,
        )

    def extra_repr(self) -> str:
        return f"p={self.p:g}"

    def forward(self, *inputs: Any) -> Any:
        """The inputs with an anomaly in the image and in the mask."""
        leaves, structure = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        place = _image_place(leaves)
        image, marks = self._insert(leaves[place])
        masks = [i for i, leaf in enumerate(leaves) if _is_tv(leaf, "Mask")]
        leaves[place] = image
        if not masks and len(leaves) == 1:
            return image, _as_mask(marks[..., None, :, :] * self.mask_value)
        if not masks:
            raise TypeError("the sample must hold a tv_tensors.Mask, into which the anomaly is drawn, got none")
        for i in masks:
            leaves[i] = self._united(leaves[i], marks)
        return tree_unflatten(leaves, structure)

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
            plain = plain.float()  # and back without loss outside of the mask
        array = np.ascontiguousarray(plain.permute(1, 2, 0).numpy())
        check_range(array, self._inserter.insertion.data_range)
        i_a, m_a = self._insert_array(array)
        return torch.from_numpy(i_a).permute(2, 0, 1).to(image.dtype), torch.from_numpy(m_a)

    def _insert_pil(self, image: Image.Image) -> tuple[Image.Image, torch.Tensor]:
        """In the image's own mode; the very image where no anomaly is due."""
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
        """The seed of an anomaly, or None where there is to be none."""
        words = torch.randint(2**31, (4,)).tolist()
        return words[1:] if words[0] < self.p * 2**31 else None

    def _united(self, mask: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
        marks = marks.to(mask.device, torch.bool)
        if mask.shape != marks.shape and mask.ndim == marks.ndim + 1:
            marks = marks.unsqueeze(-3)
        if mask.shape != marks.shape and mask.shape[:-3] + mask.shape[-2:] != marks.shape[:-3] + marks.shape[-2:]:
            raise ValueError(f"the mask must have the image's height and width, got {tuple(mask.shape)}")
        value = True if mask.dtype == torch.bool else self.mask_value
        return _like(torch.where(marks, torch.as_tensor(value, dtype=mask.dtype, device=mask.device), mask), mask)


def _image_place(leaves: list[Any]) -> int:
    """Where the image is among the values: a tv_tensors.Image, else a PIL image, else the first plain tensor."""
    for is_image in (
        lambda leaf: _is_tv(leaf, "Image"),
        lambda leaf: isinstance(leaf, Image.Image),
        lambda leaf: type(leaf) is torch.Tensor,
    ):
        places = [i for i, leaf in enumerate(leaves) if is_image(leaf)]
        if places:
            return places[0]
    raise TypeError(f"the sample must hold an image, a tensor (C, H, W) or a PIL image, got {describe(leaves)}")


def _is_tv(value: Any, kind: str) -> bool:
    """Whether it is a tv_tensor of that kind; without torchvision imported there is none."""
    module = sys.modules.get("torchvision.tv_tensors")
    return module is not None and isinstance(value, getattr(module, kind))


def _like(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The tensor, with the other's type."""
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
