"""A generator of anomalies for the models of anomalib, which replaces its `PerlinAnomalyGenerator`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pail._install import install_hint

try:
    import torch
except ImportError as error:
    raise ImportError(f"pail.anomalib needs PyTorch: {install_hint('anomalib')}") from error

from pail.core.checks import as_number, describe
from pail.dataset.recipe import combined
from pail.inserter import Inserter, check_range
from pail.reading import drawn_source

__all__ = ["AnomalyGenerator"]

ROUNDING = 1e-3  # how far values may be outside [0, 1]: Glass reverts a normalization, which rounds


class AnomalyGenerator(torch.nn.Module):
    """Insert pseudo-anomalies into the training images of an anomalib
    model, instead of its `PerlinAnomalyGenerator`.

    Called with float images (C, H, W) or a batch (B, C, H, W) in [0, 1], it
    returns images of the same shape, dtype and device, and masks (1, H, W)
    or (B, 1, H, W) of the images' dtype, 1 where an anomaly was inserted
    and 0 elsewhere. Each image of a batch gets its own anomaly. The class
    needs PyTorch, but not anomalib.

    Parameters
    ----------
    source : path, glob pattern, image, sequence of paths or images, or callable, optional
        The source images, see `pail.torch.PseudoAnomalyDataset`. None uses
        the image itself.
    probability : float, default 0.5
        Probability in [0, 1] that an image gets an anomaly.
    techniques, weights, n_anomalies, options, roi, severity, defects, preset : optional
        As for `Anomaly_Insertion.insert`.
    recipe : path, optional
        A recipe file with default values for what is not passed here: the
        techniques and their keywords, the number of anomalies, the
        severity, and the region if it is "foreground".

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or, when the generator is called, if
        images are not float tensors in [0, 1] (normalized images are not)
        or have another shape.

    Notes
    -----
    Random numbers come from PyTorch's generator: `torch.manual_seed` makes
    a run reproducible. Images on another device are changed on the CPU and
    returned on their device. The result has no gradient.

    Examples
    --------
    >>> import torch
    >>> from pail.anomalib import AnomalyGenerator
    >>> generator = AnomalyGenerator(probability=1, techniques="SFI")
    >>> images, masks = generator(torch.rand(4, 3, 64, 64))
    >>> images.shape, masks.shape, int(masks.max())
    (torch.Size([4, 3, 64, 64]), torch.Size([4, 1, 64, 64]), 1)
    """

    def __init__(
        self,
        source: Any = None,
        *,
        probability: float = 0.5,
        techniques: str | Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        n_anomalies: int | Sequence[int] | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        roi: Any = None,
        severity: Any = None,
        defects: Any = None,
        preset: str | None = None,
        recipe: Any = None,
    ) -> None:
        super().__init__()
        self.probability = as_number("probability", probability, 0, 1)
        keywords: dict[str, Any] = {"techniques": techniques, "weights": weights, "options": options}
        if recipe is not None:
            loaded = combined(recipe)
            if techniques is None and loaded.techniques is not None:
                keywords |= {"techniques": loaded.names, "weights": loaded.weights if weights is None else weights}
            keywords["options"] = {**loaded.options, **(options or {})}
            if roi is None and loaded.roi_folder is not None:
                raise ValueError(f"`recipe` must not name a folder of masks, got {loaded.roi_folder}; pass `roi`")
            roi = loaded.roi if roi is None and loaded.roi == "foreground" else roi
            severity = loaded.severity if severity is None else severity
            n_anomalies = loaded.anomalies if n_anomalies is None else n_anomalies
        self._inserter = Inserter(
            drawn_source(source),
            roi,
            n_anomalies=1 if n_anomalies is None else n_anomalies,
            severity=severity,
            defects=defects,
            preset=preset,
            **keywords,
        )

    def extra_repr(self) -> str:
        return f"probability={self.probability:g}"

    def forward(self, img: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images with anomalies, and their masks.

        Parameters
        ----------
        img : Tensor (C, H, W) or (B, C, H, W)
            Float images in [0, 1].

        Returns
        -------
        (Tensor, Tensor)
            Images of the same shape, and masks (1, H, W) or (B, 1, H, W).
        """
        if not isinstance(img, torch.Tensor) or not img.is_floating_point():
            found = img.dtype if isinstance(img, torch.Tensor) else describe(img)
            raise TypeError(f"`img` must be a float tensor, got {found}")
        if img.ndim not in (3, 4) or 0 in img.shape:
            raise ValueError(f"`img` must have shape (C, H, W) or (B, C, H, W), got {tuple(img.shape)}")
        flat = img.detach().reshape(-1, *img.shape[-3:])
        pairs = [self._inserted(image) for image in flat]
        images = torch.stack([image for image, _ in pairs]).reshape(img.shape)
        masks = torch.stack([mask for _, mask in pairs]).reshape(*img.shape[:-3], 1, *img.shape[-2:])
        return images.to(img.device), masks.to(img.device, img.dtype)

    def _inserted(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        words = torch.randint(2**31, (4,)).tolist()
        plain = image.as_subclass(torch.Tensor).cpu()
        if words[0] >= self.probability * 2**31:
            return plain.clone(), torch.zeros(image.shape[-2:])
        exact = plain.float() if plain.dtype in (torch.float16, torch.bfloat16) else plain  # and back without loss
        array = np.ascontiguousarray(exact.permute(1, 2, 0).numpy())
        clipped = array.clip(0, 1)
        if not np.abs(array - clipped).max() <= ROUNDING:
            check_range(array, None)  # which raises
        result = self._inserter(clipped, words[1:])
        mask = torch.from_numpy(result.m_a[..., 0] // 255)
        changed = torch.from_numpy(result.i_a).permute(2, 0, 1).to(image.dtype)
        return torch.where(mask > 0, changed, plain), mask.float()
