"""The library's face: one class, eleven techniques."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pail.core.checks import as_flag
from pail.core.stream import Stream
from pail.mix import insert
from pail.run import Call, Technique, run
from pail.sbi.fract_aug import fract_aug
from pail.sbi.perlin_noise_pattern import perlin_noise_pattern
from pail.sbi.perlin_with_roi import perlin_with_roi_anomaly
from pail.sbi.rand_augmented_cut_paste import rand_augmented_cut_paste
from pail.sbi.superpixel_anomaly import superpixel_anomaly
from pail.sfi.affined_anomaly import affined_anomlay
from pail.sfi.cutpaste import cutpaste
from pail.sfi.cutpaste_scar import cutpaste_scar
from pail.sfi.hard_aug_cutpaste import hard_aug_cutpaste
from pail.sfi.random_perturbation import random_perturbation
from pail.sfi.simplex_noise import simplex_noise_anomlay

Range = tuple[float, float]

TECHNIQUES: dict[str, Technique] = {
    "cutpaste": Technique(cutpaste, "SFI", "Li et al., CutPaste, CVPR 2021, arXiv:2104.04015", jitters=True),
    "cutpaste_scar": Technique(cutpaste_scar, "SFI", "Li et al., CutPaste, CVPR 2021, arXiv:2104.04015", jitters=True),
    "simplex_noise_anomlay": Technique(
        simplex_noise_anomlay, "SFI", "Tien et al., Revisiting Reverse Distillation (RD++), CVPR 2023"
    ),
    "random_perturbation": Technique(
        random_perturbation, "SFI", "Cao et al., Collaborative Discrepancy Optimization (CDO), IEEE TII 2023"
    ),
    "hard_aug_cutpaste": Technique(hard_aug_cutpaste, "SFI", "Song et al., AnoSeg, 2021, arXiv:2110.03396"),
    "perlin_noise_pattern": Technique(
        perlin_noise_pattern, "SBI", "Zavrtanik et al., DRAEM, ICCV 2021, arXiv:2108.07610"
    ),
    "superpixel_anomaly": Technique(superpixel_anomaly, "SBI", "TASAD, Image and Vision Computing 2023"),
    "perlin_with_roi_anomaly": Technique(
        perlin_with_roi_anomaly, "SBI", "Yang et al., MemSeg, 2022, arXiv:2205.00908", "img"
    ),
    "rand_augmented_cut_paste": Technique(
        rand_augmented_cut_paste, "SBI", "Yao et al., BGAD, CVPR 2023, arXiv:2207.01463", "img_norm"
    ),
    "fract_aug": Technique(fract_aug, "SBI", "Xia et al., FractalAD, 2023, arXiv:2301.12739"),
    "affined_anomlay": Technique(affined_anomlay, "hybrid", "PAI-Lib, IEEE Access 2025"),
}


class Anomaly_Insertion:
    """Pseudo-anomaly insertion: eleven published techniques behind one class.

    Each method takes a normal image ``i_n``, some also a source image ``i_s``, and returns ``(i_a, m_a)``. Outside
    ``m_a`` the pseudo-anomalous image is bit-identical to the normal one; ``m_a`` is never empty; inputs are never
    written to.

    Parameters
    ----------
    transform : bool, default True
        Whether `cutpaste` and `cutpaste_scar` jitter the colours of their patch by 0.1, as the paper does.
    rng : None, int, sequence of int, numpy.random.SeedSequence or numpy.random.Generator, optional
        Where the random numbers of calls without an `rng` of their own come from; None is fresh entropy. Instances
        with the same `rng` make the same results. In another process (a forked or unpickled instance) the stream
        starts anew from fresh entropy, so that workers never repeat each other; for results that do not depend on
        the process, pass `rng` with each call, for example ``rng=(seed, index)``.

    Notes
    -----
    Images are arrays of shape (H, W), (H, W, 1) or (H, W, C) with up to 16 channels and dtype uint8, uint16, float32
    or float64 (floats in [0, 1]), or PIL images of mode 1, L, LA, P, RGB, RGBA, F or I;16. `i_a` is an array of the
    same shape and dtype. Colours are in RGB order; for images in OpenCV's BGR order only grey values and hues differ.
    An array with four channels is RGBA, and alpha is carried through unchanged. A source may have any size, dtype
    and number of channels; it is converted.

    These keywords are common to all methods:

    roi : None, "foreground" or mask, optional
        Where the anomaly may land: a bool or 0/255 mask of the image's height and width, or "foreground" for the
        automatic one of `pail.roi.foreground`. No pixel of ``m_a`` lies outside.
    severity : None, float or (float, float), optional
        How large and how strong: from 0, the faintest that the technique makes, to 1; a range is drawn from
        uniformly. None keeps the distributions of the paper.
    data_range : float, optional
        The value of full scale where it is not the dtype's (1 for floats): 4095 for 12-bit data in uint16.
    rng : optional
        As above, for this call alone: the same `rng` gives the same bytes.
    return_record : bool, default False
        Whether to return ``(i_a, m_a, record)``, with a JSON-serialisable dict that `pail.replay` can do again.

    Every method raises TypeError for an argument of the wrong kind and ValueError for one of a wrong value.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import pai
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> i_a, m_a = pai.Anomaly_Insertion(rng=0).random_perturbation(image)
    >>> i_a.shape, i_a.dtype, m_a.shape
    ((64, 64, 3), dtype('uint8'), (64, 64, 1))
    """

    def __init__(self, transform: bool = True, *, rng: Any = None) -> None:
        self.transform = as_flag("transform", transform)
        self.transparency_range = [0.15, 1.0]  # kept for code that reads the original's attribute
        self._stream = Stream(rng)

    def _run(self, name: str, image: Any, source: Any, call: Call, **options: Any) -> Any:
        if call.rng is None:
            call = call._replace(rng=self._stream.next())
        return run(name, TECHNIQUES[name], image, source, call, options)

    def cutpaste(
        self,
        image: Any,
        area_ratio: Range = (0.2, 0.25),
        aspect_ratio: tuple[Range, Range] = ((0.3, 1), (1, 3.3)),
        *,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Paste a rectangle of the image, its colours jittered, onto another place of it (CutPaste).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        area_ratio : (float, float), default (0.2, 0.25)
            Area of the rectangle as a fraction of the image's, in (0, 1], drawn uniformly. The paper has (0.02, 0.15).
        aspect_ratio : pair of (float, float), default ((0.3, 1), (1, 3.3))
            Width / height; a coin chooses the range, and the ratio is uniform in it.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the rectangle; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] C.-L. Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization", CVPR 2021.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().cutpaste(image, area_ratio=(0.02, 0.15))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "cutpaste",
            image,
            None,
            Call(roi, severity, data_range, rng, return_record),
            area_ratio=area_ratio,
            aspect_ratio=aspect_ratio,
            transform=self.transform,
        )

    def cutpaste_scar(
        self,
        image: Any,
        rotation: Range = (-45, 45),
        *,
        width: Range = (2 / 256, 16 / 256),
        length: Range = (10 / 256, 25 / 256),
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Paste a thin strip of the image, its colours jittered and turned, onto another place of it (CutPaste-Scar).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        rotation : (float, float), default (-45, 45)
            Angle of the strip against the vertical, in degrees anticlockwise, drawn uniformly.
        width, length : (float, float), default (2 / 256, 16 / 256) and (10 / 256, 25 / 256)
            Sides of the strip as fractions of the image's shorter side, in (0, 1], drawn uniformly; at least one
            pixel, and the length at least the width. ``(0.1, 0.4)`` for both gives the large patches of the original.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the turned strip; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] C.-L. Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization", CVPR 2021.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().cutpaste_scar(image, rotation=(0, 90))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "cutpaste_scar",
            image,
            None,
            Call(roi, severity, data_range, rng, return_record),
            rotation=rotation,
            width=width,
            length=length,
            transform=self.transform,
        )

    def simplex_noise_anomlay(
        self,
        image: Any,
        *,
        size_range: Range = (10 / 256, 1 / 8),
        octaves: int = 6,
        persistence: float = 0.6,
        amplitude: float = 0.2,
        frequency: float = 1 / 8,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Add simplex noise to a rectangle of the image (RD++).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        size_range : (float, float), default (10 / 256, 1 / 8)
            Height and width of the rectangle as fractions of the image's, in (0, 1], each drawn uniformly.
        octaves : int, default 6
            Number of octaves, 1 to 16; each has half the wavelength of the one before.
        persistence : float, default 0.6
            Ratio of the amplitudes of successive octaves, in (0, 1].
        amplitude : float, default 0.2
            Amplitude of the first octave as a fraction of full scale, in (0, 1].
        frequency : float, default 1 / 8
            Wavelength of the first octave as a fraction of the image's shorter side, in (0, 1]; at least 2 pixels.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the rectangle; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] T. D. Tien et al., "Revisiting Reverse Distillation for Anomaly Detection", CVPR 2023.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().simplex_noise_anomlay(image, size_range=(0.2, 0.5))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "simplex_noise_anomlay",
            image,
            None,
            Call(roi, severity, data_range, rng, return_record),
            size_range=size_range,
            octaves=octaves,
            persistence=persistence,
            amplitude=amplitude,
            frequency=frequency,
        )

    def random_perturbation(
        self,
        image: Any,
        *,
        patch_number: tuple[int, int] = (1, 4),
        size_range: Range = (1 / 20, 1 / 5),
        skip_background: bool | None = None,
        max_try: int = 200,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Overwrite a few rectangles of the image with uniform noise (CDO).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        patch_number : (int, int), default (1, 4)
            Lowest and highest number of rectangles, at least 1.
        size_range : (float, float), default (1 / 20, 1 / 5)
            Height and width of a rectangle as fractions of the image's, in (0, 1], each drawn uniformly.
        skip_background : bool, optional
            Whether the centres have to lie on the foreground: None asks the automatic foreground, True the fixed
            thresholds of the paper's code, False allows every place.
        max_try : int, default 200
            How many places are tried for a rectangle before the foreground is given up.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the union of the rectangles; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] Y. Cao et al., "Collaborative Discrepancy Optimization for Reliable Image Anomaly
           Localization", IEEE TII, 2023.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().random_perturbation(image, patch_number=(2, 2))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "random_perturbation",
            image,
            None,
            Call(roi, severity, data_range, rng, return_record),
            patch_number=patch_number,
            size_range=size_range,
            skip_background=skip_background,
            max_try=max_try,
        )

    def hard_aug_cutpaste(
        self,
        image: Any,
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
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Paste a rectangle of a strongly augmented copy of the image at the same place (AnoSeg).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        angles : sequence of int, default (0, 90, 180, 270)
            Right angles, in degrees, from which the rotation is drawn.
        p_rotate, p_perm, p_jitter : float, default 0.5
            Chances in [0, 1] that the copy is rotated, that its four quadrants change places, and that its colours
            are jittered; at least one of the three is always done.
        area_ratio : (float, float), optional
            Area of the rectangle as a fraction of the image's, in (0, 1], with CutPaste's aspect ratios. None spans
            it between two uniform points.
        brightness, contrast, saturation : float, default 0.5, 1 and 0.1
            Strengths of the colour jitter, in [0, 1].
        hue : float, default 0.5
            Largest shift of the hue, as a fraction of the circle, in [0, 0.5].
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the rectangle; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] J. Song et al., "AnoSeg: Anomaly Segmentation Network Using Self-Supervised Learning", 2021,
           arXiv:2110.03396.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().hard_aug_cutpaste(image, p_jitter=1)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "hard_aug_cutpaste",
            image,
            None,
            Call(roi, severity, data_range, rng, return_record),
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
        image: Any,
        anom_source_img: Any = None,
        resize: tuple[int, int] | None = None,
        *,
        threshold: float | str = 0.5,
        min_perlin_scale: int = 0,
        perlin_scale: int = 6,
        rotation: Range = (-90, 90),
        beta_range: Range = (0, 0.8),
        augment_source: bool = True,
        augmenter: Callable[..., Any] | None = None,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Blend an augmented source into the image where Perlin noise is high (DRAEM).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of channels. None takes the
            image itself, augmented.
        resize : (int, int), optional
            (height, width) in pixels at which the mask is made before it is scaled to the image; None is the image's
            size. The size of the output does not depend on it.
        threshold : float or "random", default 0.5
            The noise level, in [-1, 1], above which a pixel belongs to the anomaly. "random" draws it between the
            lowest and the highest noise value, with at most half of the image covered.
        min_perlin_scale, perlin_scale : int, default 0 and 6
            The lattice has ``2**k`` cells along each axis, k drawn from ``min_perlin_scale .. perlin_scale - 1``.
        rotation : (float, float), default (-90, 90)
            Angle by which the noise is turned, in degrees, drawn uniformly.
        beta_range : (float, float), default (0, 0.8)
            Share of the normal image in the blend, in [0, 1], drawn uniformly.
        augment_source : bool, default True
            Whether three of the ten photometric augmenters of DRAEM change the source.
        augmenter : callable, optional
            An augmentation image -> image for the source in place of the ten of DRAEM; an imgaug augmenter works.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the noise above the threshold; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] V. Zavrtanik et al., "DRAEM - A Discriminatively Trained Reconstruction Embedding for Surface Anomaly
           Detection", ICCV 2021.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().perlin_noise_pattern(image, anom_source_img=255 - image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "perlin_noise_pattern",
            image,
            anom_source_img,
            Call(roi, severity, data_range, rng, return_record),
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
        image: Any,
        anom_source_img: Any = None,
        *,
        n_segments: Sequence[int] = (30, 150, 250),
        fraction: float = 0.05,
        compactness: float = 8,
        sigma: float = 1,
        rotate: bool = True,
        augment_source: bool = False,
        augmenter: Callable[..., Any] | None = None,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Paste some superpixels of a source onto the same places of the image (TASAD).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of channels. None takes the
            image itself, always rotated.
        n_segments : sequence of int, default (30, 150, 250)
            Numbers of superpixels, one of which is drawn: large, medium or small anomalies.
        fraction : float, default 0.05
            Share of the superpixels that is pasted, in (0, 1), rounded up; never all. The paper has 0.1.
        compactness, sigma : float, default 8 and 1
            SLIC's weight of the distance against the colour, and its smoothing in pixels.
        rotate : bool, default True
            Whether the source is turned by 90 or 180 degrees in two cases out of three.
        augment_source : bool, default False
            Whether three photometric augmenters change the source.
        augmenter : callable, optional
            An augmentation image -> image for the source in place of the ten of DRAEM; an imgaug augmenter works.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the chosen superpixels; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] TASAD: "Two-stage anomaly segmentation with superpixel anomalies", Image and Vision Computing, 2023.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().superpixel_anomaly(image, anom_source_img=255 - image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "superpixel_anomaly",
            image,
            anom_source_img,
            Call(roi, severity, data_range, rng, return_record),
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
        img: Any,
        anom_source_img: Any = None,
        use_mask: bool = True,
        transparency_range: Range = (0.15, 1.0),
        *,
        mask: Any = None,
        structure_grid_size: int = 8,
        p_texture: float = 0.5,
        bg_threshold: float | None = None,
        bg_reverse: bool | None = None,
        threshold: float | str = 0.5,
        min_perlin_scale: int = 0,
        perlin_scale: int = 6,
        rotation: Range = (-90, 90),
        augmenter: Callable[..., Any] | None = None,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Blend a texture or the image's shuffled structure into the foreground where Perlin noise is high (MemSeg).

        Parameters
        ----------
        img : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of channels. None inserts
            structure only.
        use_mask : bool, default True
            Whether the anomaly keeps to the foreground; the whole image where none is found.
        transparency_range : (float, float), default (0.15, 1.0)
            Opacity of the anomaly, in [0, 1], drawn uniformly; 1 hides the normal image.
        mask : ndarray of bool or uint8 {0, 255}, optional
            The foreground, of the image's height and width, in place of the automatic one.
        structure_grid_size : int, default 8
            Cells along each axis of the grid that is shuffled, 1 to 256.
        p_texture : float, default 0.5
            Chance in [0, 1] that a given source is used, rather than the image's structure.
        bg_threshold : float, optional
            Grey level, 0 to 255 at full scale, that parts foreground and background.
        bg_reverse : bool, optional
            With `bg_threshold`: whether the foreground is brighter than it. Darker by default.
        threshold : float or "random", default 0.5
            The noise level, in [-1, 1], above which a pixel belongs to the anomaly. "random" draws it between the
            lowest and the highest noise value, with at most half of the image covered.
        min_perlin_scale, perlin_scale : int, default 0 and 6
            The lattice has ``2**k`` cells along each axis, k drawn from ``min_perlin_scale .. perlin_scale - 1``.
        rotation : (float, float), default (-90, 90)
            Angle by which the noise is turned, in degrees, drawn uniformly.
        augmenter : callable, optional
            An augmentation image -> image for the source in place of the ten of DRAEM; an imgaug augmenter works.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the noise above the threshold on the foreground; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] M. Yang et al., "MemSeg: A Semi-Supervised Method for Image Surface Defect Detection Using
           Differences and Commonalities", 2022, arXiv:2205.00908.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().perlin_with_roi_anomaly(image, anom_source_img=255 - image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "perlin_with_roi_anomaly",
            img,
            anom_source_img,
            Call(roi, severity, data_range, rng, return_record),
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
        img_norm: Any,
        anom_source_img: Any = None,
        mask: Any = None,
        in_fg_region: bool = True,
        *,
        source_mask: Any = None,
        n_aug: int = 3,
        elastic: bool = True,
        min_area: float = 1e-3,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Paste the masked part of a warped and augmented source, moved onto the foreground (BGAD).

        Parameters
        ----------
        img_norm : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of channels. None takes the
            image itself.
        mask : ndarray of bool or uint8 {0, 255}, optional
            Where on the normal image the anomaly may land, of the image's height and width; strictly kept.
        in_fg_region : bool, default True
            Without `mask`: whether an anomaly that lies less than two thirds on the foreground is moved there.
        source_mask : ndarray of bool or uint8 {0, 255}, optional
            The anomaly in the source, of the source's or the image's size: the paper's use, with a real defect. None
            draws its shape from Perlin noise.
        n_aug : int, default 3
            How many of the ten operations are drawn, 0 to 10.
        elastic : bool, default True
            Whether the source is first deformed elastically.
        min_area : float, default 1e-3
            Smallest area of the anomaly as a fraction of the image's, in [0, 1); smaller ones are redrawn.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the pasted parts; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] X. Yao et al., "Explicit Boundary Guided Semi-Push-Pull Contrastive Learning for Supervised Anomaly
           Detection" (BGAD), CVPR 2023.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().rand_augmented_cut_paste(image, anom_source_img=255 - image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "rand_augmented_cut_paste",
            img_norm,
            anom_source_img,
            Call(roi, severity, data_range, rng, return_record),
            mask=mask,
            in_fg_region=in_fg_region,
            source_mask=source_mask,
            n_aug=n_aug,
            elastic=elastic,
            min_area=min_area,
        )

    def fract_aug(
        self,
        image: Any,
        initial_point: tuple[float, float] = (0, 0),
        iterations: int = 10000,
        anom_source_img: Any = None,
        *,
        system: str = "random",
        n_maps: int = 2,
        size_range: Range = (0.1, 0.5),
        rotation: Range = (15, 75),
        noise_amp: float = 10,
        margin: float = 0.1,
        dilate: int = 3,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Paste a jittered, turned square of a source in the shape of a random fractal (FractalAD).

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        initial_point : (float, float), default (0, 0)
            Where the chaos game starts.
        iterations : int, default 10000
            Number of points of the fractal. The paper has 100000, with nearly the same shapes.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of channels. None takes the
            image itself, as in the paper.
        system : {"random", "barnsley"}, default "random"
            The iterated function system: random contractions, or the four maps of Barnsley's fern with random weights.
        n_maps : int, default 2
            Number of maps of the random system, at least 2.
        size_range : (float, float), default (0.1, 0.5)
            Side of the square as a fraction of the image's shorter side, in (0, 1], drawn uniformly.
        rotation : (float, float), default (15, 75)
            Angle by which the square is turned, in degrees, drawn uniformly.
        noise_amp : float, default 10
            Standard deviation of the noise that half of the anomalies get, in grey levels of 0 to 255.
        margin : float, default 0.1
            Border of the image that is left free, as a fraction of its sides, in [0, 0.5); with an `roi` only where
            the square is cut.
        dilate : int, default 3
            How often the fractal is dilated by 3 x 3 where noise is added, at 256 pixels; more on larger images.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the fractal; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] X. Xia et al., "FractalAD: A Simple Industrial Anomaly Detection Method Using Fractal Anomaly
           Generation", 2023, arXiv:2301.12739.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().fract_aug(image, anom_source_img=255 - image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "fract_aug",
            image,
            anom_source_img,
            Call(roi, severity, data_range, rng, return_record),
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
        image: Any,
        resize: tuple[int, int] | None = None,
        anom_source_img: Any = None,
        *,
        patch_sizes: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4),
        p_patch: float = 0.5,
        ssim_threshold: float = 0.75,
        variant: str | None = None,
        p_damage: float = 0.5,
        n_damage: int = 5,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Warp tiles of the image by random affine maps, as they are, recoloured or filled with a source.

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        resize : (int, int), optional
            (height, width) in pixels at which tiles of the original's 8 to 64 pixels are meant; None scales them with
            the image. The size of the output does not depend on it.
        anom_source_img : ndarray or PIL.Image.Image, optional
            The source of the texture, of any size, dtype and number of channels. Without one the
            warped tiles are kept (AA) or recoloured (AAC), with one they are filled with it (AAS).
        patch_sizes : sequence of float, default (1 / 32, 1 / 16, 1 / 8, 1 / 4)
            Sides of the tiles as fractions of the image's shorter side, in (0, 1], one of which is drawn; at least 4
            pixels.
        p_patch : float, default 0.5
            Chance in [0, 1] that a tile is warped.
        ssim_threshold : float, default 0.75
            Structural similarity from which on a warped tile is too like the original and dropped.
        variant : {None, "AA", "AAC", "AAS"}, default None
            None draws AA or AAC without a source and is AAS with one.
        p_damage : float, default 0.5
            Chance in [0, 1] that a source is damaged before it is used.
        n_damage : int, default 5
            How many damages, out of 17, it gets.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            255 where the anomaly was inserted, the warped parts of the tiles; 0 elsewhere.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind, an image that could not be read (None) included.
        ValueError
            If an argument has a value out of its range; the message names it.

        References
        ----------
        .. [1] PAI-Lib: "Pseudo-Anomaly Insertion", IEEE Access, 2025.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().affined_anomlay(image)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        return self._run(
            "affined_anomlay",
            image,
            anom_source_img,
            Call(roi, severity, data_range, rng, return_record),
            resize=resize,
            patch_sizes=patch_sizes,
            p_patch=p_patch,
            ssim_threshold=ssim_threshold,
            variant=variant,
            p_damage=p_damage,
            n_damage=n_damage,
        )

    def affine_anom_color_change(self, image: Any, resize: tuple[int, int] | None = None, **keywords: Any) -> Any:
        """`affined_anomlay` with recoloured tiles (AAC), under the original's second name.

        Parameters
        ----------
        image, resize, **keywords
            As for `affined_anomlay`.

        Returns
        -------
        i_a, m_a : ndarray
            As for `affined_anomlay`.
        """
        return self.affined_anomlay(image, resize, **{**keywords, "variant": "AAC"})

    def insert(
        self,
        image: Any,
        anom_source_img: Any = None,
        *,
        techniques: Any = None,
        weights: Any = None,
        n_anomalies: Any = 1,
        roi: Any = None,
        severity: Any = None,
        data_range: float | None = None,
        rng: Any = None,
        return_record: bool = False,
    ) -> Any:
        """Insert one or several anomalies of techniques that are drawn at random.

        Parameters
        ----------
        image : ndarray of shape (H, W), (H, W, 1) or (H, W, C), or PIL.Image.Image
            The normal image.
        anom_source_img : ndarray, PIL.Image.Image, list of them or callable, optional
            The source; one of a list is drawn for each anomaly, and a callable is called with the Generator of the
            call and returns an image. Without one the source-based techniques are left out.
        techniques : str or sequence of str, optional
            Names of techniques or families ("SFI", "SBI", "hybrid"); all by default.
        weights : sequence of float, optional
            Relative chances, one for each entry of `techniques` (of `TECHNIQUES` without it); a family shares its
            weight equally. Equal by default.
        n_anomalies : int or (int, int), default 1
            How many anomalies, at least 1; a range is drawn from uniformly.
        roi, severity, data_range, rng, return_record : optional
            As for every method, see `Anomaly_Insertion`. A severity range is drawn from for each anomaly.

        Returns
        -------
        i_a : ndarray
            The pseudo-anomalous image, of the shape and dtype of the image.
        m_a : ndarray of shape (H, W, 1) and dtype uint8
            The union of the masks.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If a technique is unknown, the weights do not fit, or no technique is left.

        Examples
        --------
        >>> import numpy as np
        >>> from pail import pai
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        >>> i_a, m_a = pai.Anomaly_Insertion().insert(image, techniques=["SFI", "affined_anomlay"], n_anomalies=(1, 3))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all())
        True
        """
        rng = self._stream.next() if rng is None else rng
        call = Call(roi, severity, data_range, rng, return_record)
        return insert(
            TECHNIQUES,
            image,
            anom_source_img,
            call,
            techniques=techniques,
            weights=weights,
            n_anomalies=n_anomalies,
            transform=self.transform,
        )
