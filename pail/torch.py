"""A data set for PyTorch: samples of normal images with new pseudo-anomalies in every epoch."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from pail._install import install_hint

try:
    import torch
    from torch.utils.data import Dataset
except ImportError as error:
    raise ImportError(f"pail.torch needs PyTorch: {install_hint('torch')}") from error

from pail.beyond.presets import as_preset
from pail.call.result import PseudoAnomaly
from pail.core.checks import as_flag, as_number, describe
from pail.core.image import MOST_IMAGES, as_normal_image, data_range_of
from pail.core.window import AUTO, as_data_range, window_of
from pail.dataset.tiles import Tile, Tiling, as_tiling
from pail.inserter import Inserter
from pail.io.read import MAX_PIXELS
from pail.reading import Cache, Drawn, Images, as_target_size, drawn_source
from pail.types import DataRangeLike, Range
from pail.warm import warm_up

__all__ = ["PseudoAnomalyDataset"]

Key = tuple[int, int, int]  # seed, epoch, index
P_ANOMALY = 0.5
COIN, AUGMENT, TRANSFORM = 1, 2, 3  # fourth element of the seeds of what is drawn in addition to the insertion
MAX_SEED = 2**63 - 1


class PseudoAnomalyDataset(Dataset[dict[str, Any]]):
    """Normal images, a share of which gets a new pseudo-anomaly in every
    epoch.

    A sample is a dict that PyTorch's default collate function accepts:

    - ``"image"``: float32 (C, H, W) in [0, 1], or uint8 with `dtype`;
    - ``"mask"``: float32 or uint8 (1, H, W), 1 where an anomaly was
      inserted and 0 elsewhere;
    - ``"label"``: int64, 1 if the sample has an anomaly;
    - ``"technique"``: the names of the techniques, joined by " + ", and ""
      for a normal image;
    - ``"index"``: the position in `normal`;
    - ``"normal"``: with `pairs`, the same image without the anomaly;
    - ``"tile"``: with `tile`, int64 (2,), its row and column.

    Parameters
    ----------
    normal : path, glob pattern, sequence of paths or images, or array
        The normal images. A folder is searched with its subfolders, except
        hidden ones and links. A category in the layout of MVTec AD stands
        for its ``train/good``. Masks and labels next to images are left
        out. A file may list paths (``.txt``, ``.csv``, ``.json``). An array
        has shape (N, H, W, C), or (N, H, W) for more than 16 gray images.
    source : as `normal`, or callable, optional
        The source images of techniques that use one: one of them is drawn
        for each anomaly. A callable gets a `numpy.random.Generator` and
        returns an image. None uses the normal image itself.
    techniques, weights, n_anomalies, options, severity : optional
        As for `Anomaly_Insertion.insert`.
    defects : Defects or path, optional
        A bank of real defects for `real_defect`, or the folder or
        annotation file from which `Defects.read` reads it. If no
        `techniques` are given, only `real_defect` is used.
    preset : str, optional
        A key of `pail.PRESETS`: the techniques and options of a paper.
    p_anomaly : float, optional
        Share of the samples that get an anomaly, in [0, 1]. The default is
        that of the preset, or 0.5 without one.
    roi : None, "foreground", mask or callable, optional
        Where anomalies may be placed. A callable gets an image as an array
        (H, W, C) and returns its mask.
    size : int or (int, int), optional
        Height and width to which images are resized when they are read; one
        number is used for both.
    augment : callable, optional
        Changes the normal image before the insertion, so that the mask
        remains exact: a function of an array (H, W, C), which may take a
        Generator as `rng`, a transform of torchvision (or another
        `torch.nn.Module`) of a tensor (C, H, W), or one of albumentations.
    transform : callable, optional
        Changes image and mask after the insertion, such as a crop or a
        normalization: a function of two tensors ``(image, mask)`` that
        returns both, a transform of torchvision (which gets `tv_tensors`),
        or one of albumentations. With `pairs` it is called for both images,
        with the same random numbers.
    pairs : bool, default False
        Whether a sample also contains the normal image.
    seed : int, default 0
        Seed of all random numbers.
    cache : int, optional
        Bytes of decoded images that are kept in memory. They are read when
        the data set is created. Forked workers share them; each spawned
        worker has a cache of its own of this size. None caches nothing.
    channels : {3, 1, None}, default 3
        Number of channels of the samples: gray images are repeated, and
        alpha is dropped. None keeps the channels of the files.
    data_range, source_range : float, (float, float) or "auto", optional
        As for `Anomaly_Insertion`, except for "auto", which is accepted for
        `data_range` only: one window for all images is computed from up to
        100 of them, see `pail.data_range_of`. `data_range` also defines
        which values become 0 and 1 in a float sample; values outside are
        clipped.
    unreadable : {"raise", "skip"}, default "raise"
        What to do with a file that cannot be read. To skip such files, all
        files are decoded when the data set is created.
    dtype : {torch.float32, torch.uint8}, default torch.float32
        Dtype of the tensors of images and masks. With uint8, the pixels of
        8-bit images keep their values from 0 to 255, and masks are 0 and 1.
        Workers then transfer a quarter of the bytes; convert them on the
        device.
    pages : {"first", "all"}, default "first"
        Whether each page of a multi-page TIFF file is an image, or only the
        first page, with a warning.
    max_pixels : int, optional
        Files with more pixels are refused before they are decoded: 179
        million by default. None accepts any size.
    exclude : str or sequence of str, default ()
        Patterns such as ``"*_mask.png"`` of paths or names that are left
        out of `normal` and `source`.
    follow_links : bool, default False
        Whether links to folders are followed.
    column : str, optional
        The column with the paths in a list of several columns (CSV), or the
        key in a JSON list of objects. By default the only one, or the one
        called path, file, image or filename.
    tile : int, optional
        Side of square tiles in pixels, at least 32. Samples are then tiles
        of the images, each of which must be at least as large as a tile.
        Anomalies are inserted into the whole image. Consecutive tiles of an
        image are made together; in random order, the image is made again
        for each of its tiles.
    overlap : int, default 0
        Number of pixels that neighboring tiles share, at most half of
        `tile`.

    Raises
    ------
    ValueError
        If there is no image; if a file cannot be read (the message names
        it); if images differ in size and no `size`, `augment` or
        `transform` is given that could change it; or if `dtype` is uint8
        and the images are not. The arguments of `insert` raise the same
        errors as there, also TypeErrors: when the data set is created,
        every technique that may be drawn is tried with its options, and the
        region is tried on the first image.

    Notes
    -----
    A sample depends only on ``(seed, epoch, index)``: its bytes are the
    same for any number of workers, start method and sampler.
    ``insert(image, source, rng=(seed, epoch, index))`` makes the same
    anomaly. Transforms draw from the global generators of Python, NumPy and
    PyTorch, which are seeded for the call and restored afterward.

    The epoch is set by `set_epoch`. If it is never called, the epoch of a
    sample is the number of times that its index was requested before, in
    any process: 0, 1, 2, ... with every pass over the data, also with
    persistent workers. Call `set_epoch` if a sampler repeats indices, in
    distributed training, and if passes end early.

    Functions that are compiled at the first call of a technique are
    compiled when the data set is created, also for forked workers.

    Examples
    --------
    >>> import numpy as np
    >>> from pail.torch import PseudoAnomalyDataset
    >>> images = np.full((8, 64, 64, 3), 90, np.uint8)
    >>> data = PseudoAnomalyDataset(images, techniques="SFI", p_anomaly=1)
    >>> sample = data[0]
    >>> sample["image"].shape, sample["mask"].shape, int(sample["label"])
    (torch.Size([3, 64, 64]), torch.Size([1, 64, 64]), 1)
    """

    def __init__(
        self,
        normal: Any,
        source: Any = None,
        *,
        techniques: str | Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        n_anomalies: int | Sequence[int] = 1,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        defects: Any = None,
        preset: str | None = None,
        p_anomaly: float | None = None,
        roi: Any = None,
        severity: Any = None,
        size: int | Sequence[int] | None = None,
        augment: Callable[..., Any] | None = None,
        transform: Callable[..., Any] | None = None,
        pairs: bool = False,
        seed: int = 0,
        cache: int | None = None,
        channels: int | None = 3,
        data_range: DataRangeLike | None = None,
        source_range: float | Range | None = None,
        unreadable: str = "raise",
        dtype: torch.dtype = torch.float32,
        pages: str = "first",
        max_pixels: int | None = MAX_PIXELS,
        exclude: str | Sequence[str] = (),
        follow_links: bool = False,
        column: str | None = None,
        tile: int | None = None,
        overlap: int = 0,
    ) -> None:
        if dtype not in (torch.float32, torch.uint8):
            raise ValueError(f"`dtype` must be torch.float32 or torch.uint8, got {describe(dtype)}")
        data_range = as_data_range("data_range", data_range, auto=True)
        if dtype == torch.uint8 and data_range not in (None, 255, (0, 255)):
            raise ValueError(f"`data_range` must be None or 255 if `dtype` is torch.uint8, got {data_range!r}")
        self.dtype = dtype
        if p_anomaly is None:
            p_anomaly = P_ANOMALY if preset is None else as_preset(preset).anomalous
        self.p_anomaly = as_number("p_anomaly", p_anomaly, 0, 1)
        self.seed = int(as_number("seed", seed, 0, MAX_SEED, integer=True))
        self.pairs = as_flag("pairs", pairs)
        self.augment, self.transform = _as_callable("augment", augment), _as_callable("transform", transform)
        kept = Cache(0 if cache is None else int(as_number("cache", cache, 0, 2**63, integer=True)))
        selecting: dict[str, Any] = {"exclude": exclude, "follow_links": follow_links, "column": column}
        self.normal = Images(
            "normal",
            normal,
            size=as_target_size(size),
            channels=channels,
            cache=kept,
            unreadable=unreadable,
            pages=pages,
            max_pixels=max_pixels,
            normal=True,
            **selecting,
        )
        if isinstance(data_range, str) and data_range == AUTO:
            data_range = data_range_of(self._some_colors())
        self.source = drawn_source(source, kept, unreadable, max_pixels, **selecting)
        self._insert = Inserter(
            self.source,
            roi,
            data_range,
            source_range,
            example=lambda: self._read((self.seed, 0, 0)),
            techniques=techniques,
            weights=weights,
            n_anomalies=n_anomalies,
            options=options,
            defects=defects,
            preset=preset,
            severity=severity,
        )
        if dtype == torch.uint8:
            self._check_bytes(self.normal[0], self.normal.label(0))
        side, shared = as_tiling(tile, overlap)
        self._tiling: Tiling | None = None
        if side is not None:
            labels = map(self.normal.label, range(len(self.normal)))
            self._tiling = Tiling(zip(labels, self.normal.sizes(), strict=True), side, shared)
        elif size is None and augment is None and transform is None:
            self.normal.check_sizes()
        self.normal.fill_cache()
        if isinstance(self.source, Drawn):
            self.source.images.fill_cache()
        self._last: tuple[Key, tuple[np.ndarray, PseudoAnomaly | None]] | None = None
        # How often each index was requested and, as the last element, the epoch of set_epoch or -1; shared by all
        # processes.
        self._epochs = torch.zeros(len(self) + 1, dtype=torch.int64)
        self._epochs[-1] = -1
        self._epochs.share_memory_()
        warm_up()

    def __len__(self) -> int:
        return len(self.normal) if self._tiling is None else len(self._tiling)

    def __repr__(self) -> str:
        things = "images" if self._tiling is None else "tiles"
        return f"PseudoAnomalyDataset({len(self)} {things}, p_anomaly={self.p_anomaly:g}, seed={self.seed})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._epochs.is_shared():  # a copy or an unpickled instance counts separately
            self._epochs.share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next samples, in all workers. From then on
        it is no longer counted automatically.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0. Call this before each pass over
            the data, in addition to `set_epoch` of a distributed sampler.
        """
        self._epochs[-1] = int(as_number("epoch", epoch, 0, MAX_SEED, integer=True))

    def __getitem__(self, index: int) -> dict[str, Any]:
        place = self._as_index(index)
        epoch = self._next_epoch(place)
        if self._tiling is None:
            key = (self.seed, epoch, place)
            image, result = self._whole(key)
            if result is None:
                return self._sample(key, image, image, np.zeros(image.shape[:2], np.uint8), "")
            return self._sample(key, image, result.i_a, result.m_a[..., 0], " + ".join(result.techniques))
        number, tile = self._tiling[place]
        key = (self.seed, epoch, number)
        last = self._last
        if last is None or last[0] != key:  # a sequential sampler requests all tiles of an image
            last = self._last = key, self._whole(key)
        return {**self._tile(key, tile, *last[1]), "tile": torch.tensor([tile.row, tile.column])}

    def _tile(self, key: Key, tile: Tile, image: np.ndarray, result: PseudoAnomaly | None) -> dict[str, Any]:
        """The sample of a tile, cut out of the whole image."""
        assert self._tiling is not None
        shape = self._tiling.shapes[key[-1]]
        if image.shape[:2] != shape:
            raise ValueError(
                f"`augment` must keep height and width if `tile` is given, got {image.shape[:2]} instead of {shape}"
            )
        part = tile.cut(image)
        if result is None:
            return self._sample(key, part, part, np.zeros(part.shape[:2], np.uint8), "")
        seen = [result.techniques[n - 1] for n in np.unique(tile.cut(result.instances)).tolist() if n]
        return self._sample(key, part, tile.cut(result.i_a), tile.cut(result.m_a[..., 0]), " + ".join(seen))

    def _whole(self, key: Key) -> tuple[np.ndarray, PseudoAnomaly | None]:
        """The normal image of a sample, and the result of the insertion, if there is one."""
        index, image = key[-1], self._read(key)
        self._check_bytes(image, self.normal.label(index))
        alpha = True if image.shape[2] == 2 and index in self.normal.gray_alpha else None
        # Normal samples are checked in the same way as anomalous ones.
        as_normal_image(image, self._insert.insertion.data_range, self.normal.label(index), alpha)
        if self.p_anomaly < 1 and np.random.default_rng((*key, COIN)).random() >= self.p_anomaly:
            return image, None
        return image, self._insert(image, key, alpha=alpha)

    def _some_colors(self) -> Iterator[np.ndarray]:
        """Up to 100 images, spread evenly, without their alpha."""
        count = min(MOST_IMAGES, len(self.normal))
        for index in (place * len(self.normal) // count for place in range(count)):
            image = self.normal[index]
            yield image[..., :1] if image.shape[2] == 2 and index in self.normal.gray_alpha else image

    def _as_index(self, index: Any) -> int:
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            raise TypeError(f"`index` must be an integer, got {describe(index)}")
        place: int = index.__index__()
        if not -len(self) <= place < len(self):
            raise IndexError(f"`index` must be in [{-len(self)}, {len(self)}), got {place}")
        return place % len(self)

    def _next_epoch(self, index: int) -> int:
        said = int(self._epochs[-1])
        if said >= 0:
            return said
        epoch = int(self._epochs[index])
        self._epochs[index] = epoch + 1
        return epoch

    def _read(self, key: Key) -> np.ndarray:
        """The normal image (H, W, C), augmented."""
        image: np.ndarray = self.normal[key[-1]]
        if self.augment is None:
            return image
        with _seeded(*key, AUGMENT) as rng:
            return _augmented(self.augment, image.copy(), rng)

    def _check_bytes(self, image: np.ndarray, label: str) -> None:
        if self.dtype == torch.uint8 and image.dtype != np.uint8:
            raise ValueError(
                f"`dtype` torch.uint8 needs uint8 images, got {image.dtype} in {label}; pass torch.float32"
            )

    def _sample(
        self, key: Key, normal: np.ndarray, image: np.ndarray, mask: np.ndarray, technique: str
    ) -> dict[str, Any]:
        tensor, marks = self._transformed(key, image, mask)
        sample = {
            "image": tensor,
            "mask": marks,
            "label": torch.tensor(int(marks.numpy().any())),
            "technique": technique,
            "index": key[-1],
        }
        if self.pairs:
            sample["normal"] = tensor.clone() if normal is image else self._transformed(key, normal, mask)[0]
        return sample

    def _transformed(self, key: Key, image: np.ndarray, mask: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        if self.transform is None:
            return self._to_tensor(image), self._to_mask(mask)
        with _seeded(*key, TRANSFORM) as rng:
            if _is_albumentations(self.transform):
                _seed_pipeline(self.transform, rng)
                changed = self.transform(image=image, mask=mask // 255)
                image, mask = changed["image"], changed["mask"]
                if not isinstance(image, torch.Tensor):
                    self._check_bytes(image, "what `transform` returns")
                    image = self._to_tensor(image)
                return _plain(image), _plain(torch.as_tensor(mask)).reshape(1, *mask.shape[-2:]).to(self.dtype)
            changed = self.transform(*_as_tv_tensors(self._to_tensor(image), self._to_mask(mask)))
        if not isinstance(changed, tuple | list) or len(changed) != 2:
            raise TypeError(f"`transform` must return (image, mask), got {describe(changed)}")
        return _plain(changed[0]), _plain(changed[1]).to(self.dtype)

    def _to_mask(self, mask: np.ndarray) -> torch.Tensor:
        """A mask (1, H, W) with the values 0 and 1."""
        return torch.from_numpy((mask != 0).astype(np.uint8)[None]).to(self.dtype)

    def _to_tensor(self, image: np.ndarray) -> torch.Tensor:
        """An image (C, H, W): float32 in [0, 1], or uint8 with unchanged values."""
        if self.dtype == torch.uint8:
            return torch.from_numpy(np.stack(cv2.split(image)))
        window = window_of("image", image, self._insert.insertion.data_range)
        pixels = np.empty((image.shape[2], *image.shape[:2]), np.float32)
        for plane, channel in zip(pixels, cv2.split(image), strict=True):  # a third faster than a transposed copy
            values = window.inside(channel) if window.clips else channel
            np.divide(values, np.float32(window.max_value), out=plane, casting="same_kind")
        return torch.from_numpy(pixels)


def _as_callable(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"`{name}` must be callable or None, got {describe(value)}")
    return value


def _augmented(augment: Callable[..., Any], image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if _is_albumentations(augment):
        _seed_pipeline(augment, rng)
        changed = augment(image=image)["image"]
    elif isinstance(augment, torch.nn.Module):
        changed = augment(torch.from_numpy(image.transpose(2, 0, 1).copy()))
        changed = changed.permute(1, 2, 0).contiguous().numpy() if isinstance(changed, torch.Tensor) else changed
    else:
        changed = augment(image, rng=rng) if _takes_rng(augment) else augment(image)
    if not isinstance(changed, np.ndarray) or changed.ndim not in (2, 3):
        raise TypeError(f"`augment` must return an image like the one it gets, got {describe(changed)}")
    return np.ascontiguousarray(changed if changed.ndim == 3 else changed[..., None])


def _takes_rng(function: Callable[..., Any]) -> bool:
    try:
        return "rng" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a callable without a signature
        return False


def _is_albumentations(function: Any) -> bool:
    return any(kind.__module__.partition(".")[0] == "albumentations" for kind in type(function).__mro__)


def _seed_pipeline(pipeline: Any, rng: np.random.Generator) -> None:
    """Seed the generators of an albumentations pipeline; it would combine a seed with that of the worker."""
    pipeline.set_random_state(rng, random.Random(int(rng.integers(2**31))))


def _as_tv_tensors(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and mask as tv_tensors if torchvision is installed; its transforms distinguish them by their types."""
    try:
        from torchvision import tv_tensors
    except ImportError:
        return image, mask
    return tv_tensors.Image(image), tv_tensors.Mask(mask)


def _plain(tensor: Any) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"`transform` must return tensors, got {describe(tensor)}")
    return tensor.as_subclass(torch.Tensor)


@contextmanager
def _seeded(*key: int) -> Iterator[np.random.Generator]:
    """Seed the global generators for a block that calls the user's code, and restore them afterward in any case.

    Transforms of torchvision draw only from these, and have to depend on the sample's key. No insertion is made inside.
    """
    sequence = np.random.SeedSequence(key)
    words = [int(word) for word in sequence.generate_state(3)]
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()  # noqa: NPY002
    try:
        random.seed(words[0])
        np.random.seed(words[1])  # noqa: NPY002
        torch.default_generator.manual_seed(words[2])
        yield np.random.default_rng(sequence)
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.default_generator.set_state(before[2])
