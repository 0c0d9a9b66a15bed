"""Public API: one class with the eleven techniques; it inherits those beyond them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from pail.beyond.methods import Beyond
from pail.beyond.real.defects import Defects
from pail.call.insert import insert
from pail.call.result import PseudoAnomaly
from pail.call.run import run
from pail.call.state import Common, Settings
from pail.core.checks import close_match, describe
from pail.core.composite import Insertion
from pail.core.sampler import Stream
from pail.core.window import as_data_range
from pail.pixels.augmenter import as_transform
from pail.registry import TECHNIQUES, is_own, read_defaults_of, reserve
from pail.sbi.fractal import fract_aug
from pail.sbi.perlin_noise_pattern import perlin_noise_pattern
from pail.sbi.perlin_with_roi import perlin_with_roi_anomaly
from pail.sbi.rand_augmented import rand_augmented_cut_paste
from pail.sbi.superpixel_anomaly import superpixel_anomaly
from pail.sfi.affined import affined_anomlay
from pail.sfi.cutpaste import cutpaste
from pail.sfi.cutpaste_scar import cutpaste_scar
from pail.sfi.hard_aug_cutpaste import hard_aug_cutpaste
from pail.sfi.random_perturbation import random_perturbation
from pail.sfi.simplex_noise import simplex_noise_anomlay
from pail.types import AugmenterLike, DataRangeLike, ImageLike, MaskLike, Range, RNGLike, ROILike, Severity, SourceLike

__all__ = ["TECHNIQUES", "Anomaly_Insertion"]

# Names that look like settings of an instance, and what takes them.
PASSED = {
    "rng": "`Anomaly_Insertion` or to a call",
    "roi": "a call",
    "severity": "a call",
    "transparency_range": "`perlin_with_roi_anomaly`",
}


class Anomaly_Insertion(Beyond):
    """Pseudo-anomaly insertion: eleven published techniques behind one
    class.

    Each method takes a normal image ``i_n``, some also a source image
    ``i_s``, and returns the pseudo-anomalous image and its mask, ``(i_a,
    m_a)``. Outside ``m_a``, ``i_a`` is bit-identical to the normal image.
    ``m_a`` is never empty, and at least one pixel inside it visibly
    differs, by 2 % of the range or more. Inputs are never modified. Two
    names have the original library's spelling: `simplex_noise_anomlay` and
    `affined_anomlay`.

    Parameters
    ----------
    transform : bool or callable, default True
        Whether `cutpaste` and `cutpaste_scar` jitter the colors of their
        patch by 0.1, as the paper does. A callable or an imgaug augmenter
        is applied to the patch instead.
    rng : int, sequence of int, SeedSequence or Generator, optional
        Seed of the random numbers of calls that have no `rng` of their own.
        If None, seeded from the operating system. Instances with the same
        `rng` give the same results. A copy (`copy.deepcopy` or pickle)
        continues the stream if it is seeded; otherwise it starts an
        independent one. In another process (a forked or unpickled instance)
        the stream is always seeded from the operating system, so that
        workers never repeat each other; for results that do not depend on
        the process, pass `rng` with each call, for example ``rng=(seed,
        index)``.
    data_range : float, (float, float) or "auto", optional
        The range of values of the images. A number is the full-scale value,
        by default that of the dtype (1 for floats): 4095 for 12-bit data in
        uint16, 255 for floats up to 255. Values above it or below 0 are an
        error. A pair (low, high) is a window, such as (51_200, 52_100) for
        thermal images: everything, including foreground, severity and
        visibility, is computed relative to it. Values outside of the window
        are kept outside of ``m_a``; inside ``m_a`` they are clipped to the
        window, and everything that is written lies in the window. "auto"
        takes the 0.1 % and 99.9 % quantiles of each image separately;
        `pail.data_range_of` finds one window for many images.
    source_range : float or (float, float), optional
        The same for sources, and for the photographs of a bank of real
        defects if they have more than 8 bits. By default a source or
        photograph with the dtype of the image has the range of the image,
        and any other the full range of its own dtype.
    alpha : bool, optional
        Whether images have an alpha channel, which is kept unchanged. If
        None, the fourth of four channels of an array is alpha, and for a
        PIL image the mode decides. False means that four channels are four
        bands, such as RGB and near infrared. True means that the last of
        two or four channels is alpha.

    Attributes
    ----------
    transform, data_range, source_range, alpha
        As above; they can be assigned and are checked as in the
        constructor. Assigning a name without an effect, such as `rng`,
        raises an AttributeError; subclasses may have own attributes.

    Notes
    -----
    Images are arrays of shape (H, W), (H, W, 1) or (H, W, C) with up to 16
    channels and dtype uint8, uint16, float32 or float64 (floats in [0, 1]),
    or PIL images of mode 1, L, LA, P, RGB, RGBA, F or I;16. `i_a` is an
    array of the same shape and dtype. Colors are in RGB order; with images
    in OpenCV's BGR order only gray values and hues differ. A source may
    have any size, dtype and number of channels; it is converted to those of
    the image. Ranges such as ``(0.2, 0.25)`` may be any sequence of two
    numbers.

    These keywords are common to all methods:

    roi : None, "foreground" or mask, optional
        Region of interest, where the anomaly may be placed: a mask of the
        image's height and width, or "foreground" for the automatic one of
        `pail.roi.foreground`. A mask is an array of bool, of 0 and 255 or
        of 0 and 1, or a PIL image of mode 1, L or P; in a palette image
        black is false and one other color is true. No pixel of ``m_a`` is
        outside the region. Sizes are fractions of the region: of its area
        and its bounding box.
    severity : None, float or (float, float), optional
        Size (relative to the image or the `roi`) and strength together: 0
        is the faintest anomaly of the technique and 1 the strongest. From a
        range, one value is drawn uniformly. None draws every size and
        strength from the ranges of the technique's own keywords. Their
        defaults are the paper's, with the exceptions in docs/fidelity.md:
        `cutpaste`, for example, has the original library's larger
        rectangles.
    rng : optional
        As above, for this call only: the same `rng` gives the same bytes.
        NumPy treats ``5`` and ``(5, 0)`` as the same seed; different pairs
        ``(seed, index)`` give different streams.

    Every method returns a `PseudoAnomaly`: a tuple ``(i_a, m_a)`` with the
    attributes ``i_a``, ``m_a`` and ``record``, which `pail.replay` takes.
    ``i_a`` is the pseudo-anomalous image, ``m_a`` its mask of shape (H, W,
    1) and dtype uint8, 255 where the anomaly was inserted and 0 elsewhere.
    Every method raises a TypeError for an argument of the wrong type (also
    for None, which `cv2.imread` returns for a file that it cannot read) and
    a ValueError for a wrong value. The message names the argument, the
    expected and the actual value. A UserWarning points out uint16 and float
    images that use less than a twentieth of their range, and names the
    `data_range` that would fit. Techniques that `pail.register` adds are
    methods as well.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import pai
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> i_a, m_a = pai.Anomaly_Insertion(rng=0).random_perturbation(image)
    >>> i_a.shape, i_a.dtype, m_a.shape
    ((64, 64, 3), dtype('uint8'), (64, 64, 1))
    """

    def __init__(
        self,
        transform: Any = True,
        *,
        rng: RNGLike | None = None,
        data_range: DataRangeLike | None = None,
        source_range: float | Range | None = None,
        alpha: bool | None = None,
    ) -> None:
        self.transform = transform
        self.data_range = data_range
        self.source_range = source_range
        self.alpha = alpha
        self._stream = Stream(rng)

    @property
    def transform(self) -> Any:
        """Whether `cutpaste` and `cutpaste_scar` jitter the colors of their patch, or the callable that they apply
        instead."""
        return self._transform

    @transform.setter
    def transform(self, value: Any) -> None:
        self._transform = as_transform("transform", value)

    @property
    def data_range(self) -> Any:
        """The range of values of the images: None, full scale, a window (low, high), or "auto"."""
        return self._data_range

    @data_range.setter
    def data_range(self, value: Any) -> None:
        self._data_range = as_data_range("data_range", value, auto=True)

    @property
    def source_range(self) -> Any:
        """The range of values of the sources: None, full scale, or a window (low, high)."""
        return self._source_range

    @source_range.setter
    def source_range(self, value: Any) -> None:
        self._source_range = as_data_range("source_range", value)

    @property
    def alpha(self) -> bool | None:
        """Whether images have an alpha channel; if None, the number of channels decides."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: bool | None) -> None:
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"`alpha` must be None, True or False, got {describe(value)}")
        self._alpha = value

    @property
    def transparency_range(self) -> list[float]:
        """The default of `perlin_with_roi_anomaly`: an attribute of the original library, kept for code that reads
        it."""
        return [0.15, 1.0]

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to assign what would have no effect. Subclasses may have attributes of their own."""
        if type(self) is Anomaly_Insertion and not name.startswith("_"):
            if name in PASSED:
                raise AttributeError(f"`{name}` must be passed to {PASSED[name]}; assigning it has no effect")
            if not (hasattr(Anomaly_Insertion, name) or is_own(name)):
                known = Settings._fields
                meant = close_match(name, known)
                raise AttributeError(f"an assigned attribute must be one of {', '.join(known)}, got {name!r}{meant}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        settings = [f"{name}={value!r}" for name, value in self._settings()._asdict().items() if value is not None]
        return f"Anomaly_Insertion({', '.join(settings)}, {'seeded' if self._stream.is_seeded else 'unseeded'})"

    def __dir__(self) -> list[str]:
        """The public names, including registered techniques."""
        return sorted({*(name for name in super().__dir__() if not name.startswith("_")), *TECHNIQUES})

    def __getattr__(self, name: str) -> Any:
        """The techniques that `pail.register` added."""
        if not name.startswith("_") and is_own(name):
            return partial(self._apply, name)
        meant = "" if name.startswith("_") else close_match(name, dir(self))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{meant}")

    def _settings(self) -> Settings:
        return Settings(self._transform, self._data_range, self._source_range, self._alpha)

    def _apply(
        self,
        technique: Callable[..., Insertion] | str,
        /,
        image: Any,
        anom_source_img: Any = None,
        *,
        defects: Any = None,
        roi: Any = None,
        severity: Any = None,
        rng: Any = None,
        **options: Any,
    ) -> PseudoAnomaly:
        """Insert one anomaly of a technique, given as a function of `TECHNIQUES` or as the name of a registered
        technique."""
        name = technique if isinstance(technique, str) else technique.__name__
        common = Common(roi, severity, self._stream.next() if rng is None else rng)
        return run(name, image, anom_source_img, self._settings(), common, options, defects)

    def cutpaste(
        self,
        image: ImageLike,
        area_ratio: Range = (0.2, 0.25),
        aspect_ratio: Sequence[Range] = ((0.3, 1), (1, 3.3)),
        *,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Paste a rectangle of the image, with jittered colors, at another
        place (CutPaste).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        area_ratio : (float, float), default (0.2, 0.25)
            Area of the rectangle as a fraction of the area of the image, or of
            the `roi` if one is given, in (0, 1], drawn uniformly. The paper
            uses (0.02, 0.15).
        aspect_ratio : pair of (float, float), default ((0.3, 1), (1, 3.3))
            Width / height: one of the two ranges is chosen with probability
            1/2, and the ratio is drawn uniformly from it.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the rectangle.

        References
        ----------
        .. [1] C.-L. Li, K. Sohn, J. Yoon, T. Pfister, "CutPaste:
           Self-Supervised Learning for Anomaly Detection and Localization",
           CVPR, 2021, pp. 9664-9674, doi:10.1109/CVPR46437.2021.00954.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.cutpaste(image, area_ratio=(0.02, 0.15))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            cutpaste,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            area_ratio=area_ratio,
            aspect_ratio=aspect_ratio,
        )

    def cutpaste_scar(
        self,
        image: ImageLike,
        rotation: Range = (-45, 45),
        *,
        width: Range = (2 / 256, 16 / 256),
        length: Range = (10 / 256, 25 / 256),
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Paste a thin, rotated strip of the image, with jittered colors, at
        another place (CutPaste-Scar).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        rotation : (float, float), default (-45, 45)
            Angle between the strip and the vertical, in degrees
            counterclockwise, drawn uniformly.
        width, length : (float, float), default (2 / 256, 16 / 256) and (10 / 256, 25 / 256)
            Sides of the strip as fractions of the shorter side of the image, or
            of the `roi`'s bounding box if one is given, in (0, 1], drawn
            uniformly; at least one pixel, and the length at least the width.
            ``(0.1, 0.4)`` for both gives the large patches of the original.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the rotated strip.

        References
        ----------
        .. [1] C.-L. Li, K. Sohn, J. Yoon, T. Pfister, "CutPaste:
           Self-Supervised Learning for Anomaly Detection and Localization",
           CVPR, 2021, pp. 9664-9674, doi:10.1109/CVPR46437.2021.00954.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.cutpaste_scar(image, rotation=(0, 90))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            cutpaste_scar,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            rotation=rotation,
            width=width,
            length=length,
        )

    def simplex_noise_anomlay(
        self,
        image: ImageLike,
        *,
        size_range: Range = (10 / 256, 1 / 8),
        octaves: int = 6,
        persistence: float = 0.6,
        amplitude: float = 0.2,
        frequency: float = 1 / 8,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Add simplex noise to a rectangle of the image (RD++).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        size_range : (float, float), default (10 / 256, 1 / 8)
            Height and width of the rectangle as fractions of those of the
            image, or of the `roi`'s bounding box if one is given, in (0, 1],
            each drawn uniformly.
        octaves : int, default 6
            Number of octaves, 1 to 16; each has half the wavelength of the
            previous one.
        persistence : float, default 0.6
            Ratio of the amplitudes of successive octaves, in (0, 1].
        amplitude : float, default 0.2
            Amplitude of the first octave as a fraction of full scale, in (0,
            1].
        frequency : float, default 1 / 8
            Wavelength of the first octave as a fraction of the shorter side of
            the image, or of the `roi`'s bounding box if one is given, in (0,
            1]; at least 2 pixels.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the rectangle.

        References
        ----------
        .. [1] T. D. Tien et al., "Revisiting Reverse Distillation for Anomaly
           Detection", CVPR, 2023, pp. 24511-24520.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.simplex_noise_anomlay(image, octaves=4)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            simplex_noise_anomlay,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            size_range=size_range,
            octaves=octaves,
            persistence=persistence,
            amplitude=amplitude,
            frequency=frequency,
        )

    def random_perturbation(
        self,
        image: ImageLike,
        *,
        patch_number: Sequence[int] = (1, 4),
        size_range: Range = (1 / 20, 1 / 5),
        skip_background: bool | None = None,
        max_try: int = 200,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Overwrite a few rectangles of the image with uniform noise (CDO).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        patch_number : (int, int), default (1, 4)
            Lowest and highest number of rectangles, at least 1.
        size_range : (float, float), default (1 / 20, 1 / 5)
            Height and width of a rectangle as fractions of those of the image,
            or of the `roi`'s bounding box if one is given, in (0, 1], each
            drawn uniformly.
        skip_background : bool, optional
            Whether the centers have to lie on the foreground: None uses the
            automatic foreground, True the fixed thresholds of the paper's code,
            and False allows any place.
        max_try : int, default 200
            Number of places that are tried for a rectangle before the
            foreground is ignored. In a thin, curved `roi` one try can take
            milliseconds on large images.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the union of the rectangles.

        References
        ----------
        .. [1] Y. Cao, X. Xu, Z. Liu, W. Shen, "Collaborative Discrepancy
           Optimization for Reliable Image Anomaly Localization", IEEE TII
           19(11), 2023, pp. 10674-10683, doi:10.1109/TII.2023.3241579.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.random_perturbation(image, patch_number=(2, 2))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            random_perturbation,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            patch_number=patch_number,
            size_range=size_range,
            skip_background=skip_background,
            max_try=max_try,
        )

    def hard_aug_cutpaste(
        self,
        image: ImageLike,
        *,
        angles: Sequence[int] = (0, 90, 180, 270),
        p_rotate: float = 0.5,
        p_perm: float = 0.5,
        p_jitter: float = 0.5,
        area_ratio: Range | None = None,
        brightness: float = 0.5,
        contrast: float = 1,
        saturation: float = 0.1,
        hue: float = 0.5,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Paste a rectangle of a strongly augmented copy of the image at the
        same place (AnoSeg).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        angles : sequence of int, default (0, 90, 180, 270)
            Multiples of 90 degrees from which the rotation is drawn.
        p_rotate, p_perm, p_jitter : float, default 0.5
            Probabilities in [0, 1] that the copy is rotated, that its four
            quadrants are permuted, and that its colors are jittered. At least
            one of the three is always applied.
        area_ratio : (float, float), optional
            Area of the rectangle as a fraction of the area of the image, or of
            the `roi` if one is given, in (0, 1], with CutPaste's aspect ratios.
            If None, the rectangle is spanned by two random points.
        brightness, contrast, saturation : float, default 0.5, 1 and 0.1
            Strengths of the color jitter, in [0, 1].
        hue : float, default 0.5
            Largest shift of the hue, as a fraction of the circle, in [0, 0.5].
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the whole rectangle, including parts
            that the augmentation left unchanged; `pail.masks.difference`
            returns the part that changed.

        References
        ----------
        .. [1] J. Song et al., "AnoSeg: Anomaly Segmentation Network Using
           Self-Supervised Learning", 2021, arXiv:2110.03396.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.hard_aug_cutpaste(image, p_jitter=1)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            hard_aug_cutpaste,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            angles=angles,
            p_rotate=p_rotate,
            p_perm=p_perm,
            p_jitter=p_jitter,
            area_ratio=area_ratio,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=hue,
        )

    def perlin_noise_pattern(
        self,
        image: ImageLike,
        anom_source_img: ImageLike | None = None,
        resize: Sequence[int] | None = None,
        *,
        threshold: float | str = 0.5,
        min_perlin_scale: int = 0,
        perlin_scale: int = 6,
        rotation: Range = (-90, 90),
        beta_range: Range = (0, 0.8),
        augment_source: bool = True,
        augmenter: AugmenterLike | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Blend an augmented source into the image where Perlin noise is high
        (DRAEM).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of
            channels. None uses the image itself, augmented.
        resize : (int, int), optional
            (height, width) in pixels at which the mask is made before it is
            scaled to the image; None is the size of the image. The size of the
            output does not depend on it.
        threshold : float or "random", default 0.5
            The noise level, in [-1, 1], above which a pixel belongs to the
            anomaly. "random" draws it between the lowest and the highest noise
            value, with at most half of the image covered.
        min_perlin_scale, perlin_scale : int, default 0 and 6
            The lattice has ``2**k`` cells down and across along the shorter
            side of the image, or of the `roi`'s bounding box if one is given; k
            is drawn from ``min_perlin_scale .. perlin_scale - 1``.
        rotation : (float, float), default (-90, 90)
            Angle by which the noise is rotated, in degrees, drawn uniformly.
        beta_range : (float, float), default (0, 0.8)
            Share of the normal image in the blend, in [0, 1], drawn uniformly.
        augment_source : bool, default True
            Whether three of the ten photometric augmenters of DRAEM change the
            source.
        augmenter : callable, optional
            A callable that takes and returns an image, or an imgaug augmenter.
            It augments the source instead of DRAEM's ten augmenters.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the noise above the threshold.

        References
        ----------
        .. [1] V. Zavrtanik, M. Kristan, D. Skočaj, "DRAEM - A Discriminatively
           Trained Reconstruction Embedding for Surface Anomaly Detection",
           ICCV, 2021, pp. 8330-8339, arXiv:2108.07610.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image, source = skimage.data.brick(), skimage.data.grass()
        >>> i_a, m_a = insertion.perlin_noise_pattern(image, source)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            perlin_noise_pattern,
            image,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            resize=resize,
            threshold=threshold,
            min_perlin_scale=min_perlin_scale,
            perlin_scale=perlin_scale,
            rotation=rotation,
            beta_range=beta_range,
            augment_source=augment_source,
            augmenter=augmenter,
        )

    def superpixel_anomaly(
        self,
        image: ImageLike,
        anom_source_img: ImageLike | None = None,
        *,
        n_segments: Sequence[int] = (30, 150, 250),
        fraction: float = 0.05,
        compactness: float = 8,
        sigma: float = 1,
        rotate: bool = True,
        augment_source: bool = False,
        augmenter: AugmenterLike | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Paste some superpixels of a source at the same places of the image
        (TASAD).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of
            channels. None uses the image itself, always rotated.
        n_segments : sequence of int, default (30, 150, 250)
            Numbers of superpixels, one of which is drawn: large, medium or
            small anomalies.
        fraction : float, default 0.05
            Share of the superpixels that is pasted, in (0, 1), rounded up;
            never all of them. With an `roi`, the share of the superpixels that
            would fill it. The paper uses 0.1.
        compactness, sigma : float, default 8 and 1
            SLIC's weight of distance relative to color, and its smoothing in
            pixels.
        rotate : bool, default True
            Whether the source is rotated by 90 or 180 degrees in two of three
            cases.
        augment_source : bool, default False
            Whether three photometric augmenters change the source.
        augmenter : callable, optional
            A callable that takes and returns an image, or an imgaug augmenter.
            It augments the source instead of DRAEM's ten augmenters.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the chosen superpixels.

        References
        ----------
        .. [1] R. A. Shah, O. Urmonov, H. Kim, "Two-stage coarse-to-fine image
           anomaly segmentation and detection model", Image and Vision Computing
           139, 2023, 104817, doi:10.1016/j.imavis.2023.104817.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image, source = skimage.data.brick(), skimage.data.grass()
        >>> i_a, m_a = insertion.superpixel_anomaly(image, source)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            superpixel_anomaly,
            image,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            n_segments=n_segments,
            fraction=fraction,
            compactness=compactness,
            sigma=sigma,
            rotate=rotate,
            augment_source=augment_source,
            augmenter=augmenter,
        )

    def perlin_with_roi_anomaly(
        self,
        img: ImageLike,
        anom_source_img: ImageLike | None = None,
        use_mask: bool = True,
        transparency_range: Range = (0.15, 1.0),
        *,
        mask: MaskLike | None = None,
        structure_grid_size: int = 8,
        p_texture: float = 0.5,
        bg_threshold: float | None = None,
        bg_reverse: bool | None = None,
        threshold: float | str = 0.5,
        min_perlin_scale: int = 0,
        perlin_scale: int = 6,
        rotation: Range = (-90, 90),
        augmenter: AugmenterLike | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Blend a texture or the image's shuffled structure into the foreground
        where Perlin noise is high (MemSeg).

        Parameters
        ----------
        img : ndarray or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of
            channels. None inserts structure only.
        use_mask : bool, default True
            Whether the anomaly is restricted to the foreground, which is the
            whole image if none is found.
        transparency_range : (float, float), default (0.15, 1.0)
            Opacity of the anomaly, in [0, 1], drawn uniformly; 1 hides the
            normal image.
        mask : ndarray of bool or uint8 {0, 255}, optional
            The foreground, of the image's height and width, instead of the
            automatic one.
        structure_grid_size : int, default 8
            Cells along each axis of the grid that is shuffled, 1 to 256.
        p_texture : float, default 0.5
            Probability in [0, 1] that a given source is used instead of the
            image's structure.
        bg_threshold : float, optional
            Gray level, 0 to 255 at full scale, that separates foreground and
            background.
        bg_reverse : bool, optional
            With `bg_threshold`: whether the foreground is brighter than this
            level. By default it is darker.
        threshold : float or "random", default 0.5
            The noise level, in [-1, 1], above which a pixel belongs to the
            anomaly. "random" draws it between the lowest and the highest noise
            value, with at most half of the image covered.
        min_perlin_scale, perlin_scale : int, default 0 and 6
            The lattice has ``2**k`` cells down and across along the shorter
            side of the image, or of the `roi`'s bounding box if one is given; k
            is drawn from ``min_perlin_scale .. perlin_scale - 1``.
        rotation : (float, float), default (-90, 90)
            Angle by which the noise is rotated, in degrees, drawn uniformly.
        augmenter : callable, optional
            A callable that takes and returns an image, or an imgaug augmenter.
            It augments the source instead of DRAEM's ten augmenters.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the noise above the threshold on the
            foreground.

        References
        ----------
        .. [1] M. Yang, P. Wu, H. Feng, "MemSeg: A semi-supervised method for
           image surface defect detection using differences and commonalities",
           EAAI 119, 2023, 105835, doi:10.1016/j.engappai.2023.105835.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image, source = skimage.data.brick(), skimage.data.grass()
        >>> i_a, m_a = insertion.perlin_with_roi_anomaly(image, source)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            perlin_with_roi_anomaly,
            img,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            use_mask=use_mask,
            transparency_range=transparency_range,
            mask=mask,
            structure_grid_size=structure_grid_size,
            p_texture=p_texture,
            bg_threshold=bg_threshold,
            bg_reverse=bg_reverse,
            threshold=threshold,
            min_perlin_scale=min_perlin_scale,
            perlin_scale=perlin_scale,
            rotation=rotation,
            augmenter=augmenter,
        )

    def rand_augmented_cut_paste(
        self,
        img_norm: ImageLike,
        anom_source_img: ImageLike | None = None,
        mask: MaskLike | None = None,
        in_fg_region: bool = True,
        *,
        source_mask: MaskLike | None = None,
        n_aug: int = 3,
        elastic: bool = True,
        min_area: float = 0.001,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Paste the masked part of a warped and augmented source, moved onto
        the foreground (BGAD).

        Parameters
        ----------
        img_norm : ndarray or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of
            channels. None uses the image itself.
        mask : ndarray of bool or uint8 {0, 255}, optional
            Where on the normal image the anomaly may land, of the image's
            height and width. No pixel of the anomaly is outside.
        in_fg_region : bool, default True
            Without `mask`: whether an anomaly is moved onto the foreground if
            less than two thirds of it lie there.
        source_mask : ndarray of bool or uint8 {0, 255}, optional
            The anomaly in the source, of the size of the source or of the
            image. The paper passes the mask of a real defect. None draws the
            shape from Perlin noise.
        n_aug : int, default 3
            How many of the ten operations are drawn, 0 to 10.
        elastic : bool, default True
            Whether the source is first deformed elastically.
        min_area : float, default 1e-3
            Smallest area of the anomaly as a fraction of the area of the image,
            or of the `roi` if one is given, in [0, 1]. Smaller ones are
            redrawn.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the pasted parts.

        References
        ----------
        .. [1] X. Yao et al., "Explicit Boundary Guided Semi-Push-Pull
           Contrastive Learning for Supervised Anomaly Detection", CVPR, 2023,
           pp. 24490-24499, doi:10.1109/CVPR52729.2023.02346.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image, source = skimage.data.brick(), skimage.data.grass()
        >>> i_a, m_a = insertion.rand_augmented_cut_paste(image, source)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            rand_augmented_cut_paste,
            img_norm,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            mask=mask,
            in_fg_region=in_fg_region,
            source_mask=source_mask,
            n_aug=n_aug,
            elastic=elastic,
            min_area=min_area,
        )

    def fract_aug(
        self,
        image: ImageLike,
        initial_point: Sequence[float] = (0, 0),
        iterations: int = 10000,
        anom_source_img: ImageLike | None = None,
        *,
        system: Literal["random", "barnsley"] = "random",
        n_maps: int = 2,
        size_range: Range = (0.1, 0.5),
        rotation: Range = (15, 75),
        noise_amp: float = 10,
        margin: float = 0.1,
        dilate: int = 3,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Paste a jittered, rotated square of a source in the shape of a random
        fractal (FractalAD).

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        initial_point : (float, float), default (0, 0)
            Where the chaos game starts.
        iterations : int, default 10000
            Number of points of the fractal. The paper uses 100000, which gives
            nearly the same shapes.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of
            channels. None uses the image itself, as in the paper.
        system : {"random", "barnsley"}, default "random"
            The iterated function system: random contractions, or the four maps
            of Barnsley's fern with random weights.
        n_maps : int, default 2
            Number of maps of the random system, at least 2.
        size_range : (float, float), default (0.1, 0.5)
            Side of the square as a fraction of the shorter side of the image,
            or of the `roi`'s bounding box if one is given, in (0, 1], drawn
            uniformly.
        rotation : (float, float), default (15, 75)
            Angle by which the square is rotated, in degrees, drawn uniformly.
        noise_amp : float, default 10
            Standard deviation of the noise that is added to half of the
            anomalies, in gray levels of 0 to 255.
        margin : float, default 0.1
            Border of the image that is kept free, as a fraction of its sides,
            in [0, 0.5). With an `roi`, this applies only to where the square is
            cut out.
        dilate : int, default 3
            Number of 3 x 3 dilations of the fractal if noise is added, for an
            image of 256 pixels; it grows with the image.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the fractal.

        References
        ----------
        .. [1] X. Xia et al., "FractalAD: A simple industrial anomaly detection
           method using fractal anomaly generation and backbone knowledge
           distillation", 2023, arXiv:2301.12739.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image, source = skimage.data.brick(), skimage.data.grass()
        >>> i_a, m_a = insertion.fract_aug(image, anom_source_img=source)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            fract_aug,
            image,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            initial_point=initial_point,
            iterations=iterations,
            system=system,
            n_maps=n_maps,
            size_range=size_range,
            rotation=rotation,
            noise_amp=noise_amp,
            margin=margin,
            dilate=dilate,
        )

    def affined_anomlay(
        self,
        image: ImageLike,
        resize: Sequence[int] | None = None,
        anom_source_img: ImageLike | None = None,
        *,
        patch_sizes: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4),
        p_patch: float = 0.5,
        ssim_threshold: float = 0.75,
        variant: Literal["AA", "AAC", "AAS"] | None = None,
        p_damage: float = 0.5,
        n_damage: int = 5,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Warp tiles of the image by random affine maps: unchanged, recolored
        or filled with a source.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        resize : (int, int), optional
            (height, width) in pixels of an image in which the tiles have the
            original's 8 to 64 pixels; None scales the tiles with the image. The
            size of the output does not depend on it.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of
            channels. Without a source the warped tiles are kept (AA) or
            recolored (AAC); with one they are filled with it (AAS).
        patch_sizes : sequence of float, default (1 / 32, 1 / 16, 1 / 8, 1 / 4)
            Sides of the tiles as fractions of the shorter side of the image, or
            of the `roi`'s bounding box if one is given, in (0, 1], one of which
            is drawn; at least 4 pixels, less in a small `roi`.
        p_patch : float, default 0.5
            Probability in [0, 1] that a tile is warped.
        ssim_threshold : float, default 0.75
            Structural similarity at or above which a warped tile is discarded
            as too similar to the original.
        variant : {None, "AA", "AAC", "AAS"}, default None
            If None, AAS is used with a source, and AA or AAC is drawn without
            one.
        p_damage : float, default 0.5
            Probability in [0, 1] that a source is damaged before it is used.
        n_damage : int, default 5
            Number of damages that are applied, each drawn from 17 kinds.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the warped parts of the tiles.

        References
        ----------
        .. [1] R. A. Shah, O. Urmonov, H. Kim, "Self-Supervised Image Anomaly
           Detection Through Diverse Pseudo Anomaly Insertion", IEEE Access 13,
           2025, pp. 115712-115734, doi:10.1109/ACCESS.2025.3580864.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.affined_anomlay(image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            affined_anomlay,
            image,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            resize=resize,
            patch_sizes=patch_sizes,
            p_patch=p_patch,
            ssim_threshold=ssim_threshold,
            variant=variant,
            p_damage=p_damage,
            n_damage=n_damage,
        )

    def affine_anom_color_change(
        self, image: ImageLike, resize: Sequence[int] | None = None, **keywords: Any
    ) -> PseudoAnomaly:
        """`affined_anomlay` with recolored tiles (AAC), under its second name
        in the original library.

        Parameters
        ----------
        image, resize, **keywords
            As for `affined_anomlay`; `variant` is "AAC".

        Returns
        -------
        PseudoAnomaly
            As for `affined_anomlay`.
        """
        if keywords.setdefault("variant", "AAC") != "AAC":
            raise ValueError(f"`variant` must be 'AAC' here, got {describe(keywords['variant'])}")
        return self.affined_anomlay(image, resize, **keywords)

    def insert(
        self,
        image: ImageLike,
        anom_source_img: SourceLike | None = None,
        *,
        techniques: str | Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        n_anomalies: int | Sequence[int] = 1,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        defects: Defects | None = None,
        preset: str | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert one or several anomalies of techniques that are drawn at
        random.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image. For all anomalies, the region and the automatic
            foreground are those of this image.
        anom_source_img : image, list of images or callable, optional
            The source. From a list, one image is drawn for each anomaly. A
            callable gets the Generator of the call and returns an image. None
            uses the image itself; an entry of a list must be an image.
        techniques : str or sequence of str, optional
            Names of techniques or families ("SFI", "SBI", "hybrid", "real",
            "published", "defects"). By default the eleven and those that
            `pail.register` added; with `defects`, `real_defect` alone.
        weights : sequence of float, optional
            Relative probabilities, one for each entry of `techniques`, or of
            the default techniques if that is None. The members of a family
            share its weight equally. By default all weights are equal: no other
            weighting that was tried on real solar cells was better
            (docs/detection.md).
        n_anomalies : int or (int, int), default 1
            Number of anomalies, at least 1; from a range it is drawn uniformly.
        options : dict of dict, optional
            Keywords of single techniques, such as ``{"cutpaste": {"area_ratio":
            (0.02, 0.15)}}``.
        defects : Defects, optional
            The bank of real defects for `real_defect`.
        preset : str, optional
            A key of `pail.PRESETS`: the techniques and options of a paper,
            instead of `techniques` and `weights`. `options` add to them.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`. From a range of
            severities, one is drawn for each anomaly.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the union of the masks without the
            pixels that a later anomaly restored to those of the normal image.
            The result as a whole visibly differs from the normal image.
            ``instances`` says which anomaly is on top. An anomaly that would
            cover an earlier one completely is drawn again, up to four times. If
            there is no other place, as in a small region, it covers the earlier
            one, whose number is then missing from ``instances``.

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a technique or preset is unknown, the weights do not fit, or
            `defects` is missing or would not be used.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> names = ["SFI", "affined_anomlay"]
        >>> i_a, m_a = insertion.insert(image, techniques=names)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return insert(
            image,
            anom_source_img,
            self._settings(),
            Common(roi, severity, self._stream.next() if rng is None else rng),
            techniques=techniques,
            weights=weights,
            n_anomalies=n_anomalies,
            options=options,
            defects=defects,
            preset=preset,
        )


read_defaults_of(Anomaly_Insertion)
reserve(
    {
        *dir(Anomaly_Insertion),
        *vars(Anomaly_Insertion()),
        *inspect.signature(Anomaly_Insertion).parameters,
        *inspect.signature(Anomaly_Insertion.insert).parameters,
    }
    - {*TECHNIQUES},
    "an attribute of Anomaly_Insertion or a keyword of its methods",
)
