"""The techniques beyond the eleven, as methods that `Anomaly_Insertion` inherits: real defects, published techniques
and named defects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pail.beyond.glass import glass
from pail.beyond.nsa import nsa
from pail.beyond.procedural.chip import chip
from pail.beyond.procedural.corrosion import corrosion
from pail.beyond.procedural.crack import crack
from pail.beyond.procedural.dent import dent
from pail.beyond.procedural.fiber import fiber
from pail.beyond.procedural.pitting import pitting
from pail.beyond.procedural.scratch import scratch
from pail.beyond.procedural.stain import stain
from pail.beyond.real.defects import Defects
from pail.beyond.real.real_defect import real_defect
from pail.call.result import PseudoAnomaly
from pail.core.composite import Insertion
from pail.types import ImageLike, Range, RNGLike, ROILike, Severity, SourceLike


class Beyond:
    """Eleven more techniques: real defects from a bank (the family "real"),
    published techniques ("published") and defects that an inspector can
    name ("defects").

    They satisfy the same contract as the others and have the same keywords,
    see `Anomaly_Insertion`. The notes below apply to all techniques of the
    family "defects".

    Notes
    -----
    A defect of the family "defects" is drawn from its geometry, at subpixel
    positions and as sharp as the image is. It needs no source. Values are
    drawn uniformly from their ranges; a severity selects the same point of
    the ranges of size, number and strength.

    `contrast` is the change of the level in units of the local spread: the
    standard deviation of the texture around the place, or 4 % of the range
    where that is larger. A defect is therefore visible on smooth and on
    rough surfaces. It uses at most seven tenths of the distance to the end
    of the range.

    `tone` is the direction of the change. By default it is the one with
    more headroom: darker on a bright place and brighter on a dark one.

    `light` is where the light comes from, counterclockwise from the right:
    90 for the top. It decides which flank is bright and which is dark; both
    belong to the mask. One value for all calls gives a set of images in one
    light.
    """

    if TYPE_CHECKING:  # what the inheriting class provides

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
        ) -> PseudoAnomaly: ...

    def real_defect(
        self,
        image: ImageLike,
        defects: Defects,
        *,
        kinds: str | Sequence[str] | None = None,
        blend: Literal["paste", "transfer", "poisson"] | None = None,
        place: Literal["anywhere", "same"] = "anywhere",
        rotation: Range = (-180, 180),
        scale: Range = (0.7, 1.4),
        flip: bool = True,
        contrast: Range = (0.7, 1.3),
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a real defect from a bank at another place, angle and size.

        Each defect is drawn equally often. Where its photograph and the image
        differ in size, it is scaled by the ratio of their shorter sides. A
        defect that is larger than the image or `roi` is shrunk until it fits.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        defects : Defects
            The bank, see `pail.Defects`.
        kinds : str or sequence of str, optional
            Kinds that may be drawn; all by default.
        blend : {"paste", "transfer", "poisson", None}, default None
            "paste" keeps the defect's pixels, with the level around it (mean
            and spread of each channel) matched to that around its new place.
            "transfer" adds the difference between the defect and the surface
            below it, so that the texture of the part survives. "poisson" keeps
            the defect's gradients. None draws "paste" or "transfer".
        place : {"anywhere", "same"}, default "anywhere"
            "anywhere" is a place in the `roi`, or else on the automatic
            foreground, where all of it fits. "same" is its original place
            within 2 % of the shorter side, for aligned parts.
        rotation : (float, float), default (-180, 180)
            Range of the angle in degrees, counterclockwise, in [-360, 360].
        scale : (float, float), default (0.7, 1.4)
            Range of the factor by which it is scaled, in (0, 100].
        flip : bool, default True
            Whether it is mirrored along either axis, with probability 1/2 each.
        contrast : (float, float), default (0.7, 1.3)
            Range of the factor by which its difference from the surface is
            multiplied, in (0, 10].
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is that of the defect, rotated and scaled.

        Examples
        --------
        >>> import numpy as np
        >>> import skimage.data
        >>> import pail
        >>> photo = skimage.data.brick()
        >>> mask = np.zeros(photo.shape, np.uint8)
        >>> mask[100:130, 200:240] = 255  # what is wrong in the photograph
        >>> defects = pail.Defects([photo], [mask], kinds=["hole"])
        >>> insertion = pail.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.gravel()
        >>> i_a, m_a = insertion.real_defect(image, defects)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            real_defect,
            image,
            defects=defects,
            roi=roi,
            severity=severity,
            rng=rng,
            kinds=kinds,
            blend=blend,
            place=place,
            rotation=rotation,
            scale=scale,
            flip=flip,
            contrast=contrast,
        )

    def nsa(
        self,
        image: ImageLike,
        anom_source_img: SourceLike | None = None,
        *,
        patch_number: Range = (1, 4),
        half_width: Range = (0.03, 0.4),
        scale: Range = (0.7, 1.3),
        shape: Literal["rectangle", "ellipses"] | None = None,
        blend: Literal["poisson", "mixed", "paste"] = "poisson",
        skip_background: bool = True,
        min_overlap: float = 0.25,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Blend patches of another normal image seamlessly into the image, each
        at another place and size (NSA).

        The first patch is always inserted, and each further one with
        probability 1/2.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        anom_source_img : optional
            Another normal image of the same kind, see `Anomaly_Insertion`; None
            uses the image itself.
        patch_number : (int, int), default (1, 4)
            Lowest and highest number of patches, 1 to 100.
        half_width : (float, float), default (0.03, 0.4)
            Bounds of half a patch's height and width as fractions of those of
            the image or `roi`, in (0, 0.5]. Each is the lower bound plus a
            number from a gamma distribution of shape 2 and scale 0.05, at most
            the upper bound.
        scale : (float, float), default (0.7, 1.3)
            Bounds of the factor by which a patch is resized, in [0.1, 10];
            drawn from a normal distribution with mean 1 and standard deviation
            0.5.
        shape : {"rectangle", "ellipses", None}, default None
            A rectangle, as in the paper, or a union of 2 to 5 ellipses; None
            draws one for each patch.
        blend : {"poisson", "mixed", "paste"}, default "poisson"
            Poisson blending with the gradients of the patch, Poisson blending
            with the stronger gradients of patch and image, or no blending.
        skip_background : bool, default True
            Whether patches are taken from, and placed on, the automatic
            foreground.
        min_overlap : float, default 0.25
            Smallest share of a patch that lies on the foreground, both where it
            is cut out and where it is inserted, in [0, 1].
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the visibly changed part of the patches,
            median filtered.

        References
        ----------
        .. [1] H. M. Schlüter, J. Tan, B. Hou, B. Kainz, "Natural Synthetic
           Anomalies for Self-Supervised Anomaly Detection and Localization",
           ECCV, 2022, pp. 474-489, doi:10.1007/978-3-031-19821-2_27.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.nsa(
        ...     image, anom_source_img=image[::-1], shape="rectangle"
        ... )
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            nsa,
            image,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            patch_number=patch_number,
            half_width=half_width,
            scale=scale,
            shape=shape,
            blend=blend,
            skip_background=skip_background,
            min_overlap=min_overlap,
        )

    def glass(
        self,
        image: ImageLike,
        anom_source_img: SourceLike | None = None,
        *,
        use_mask: bool = True,
        beta_mean: float = 0.5,
        beta_std: float = 0.1,
        beta_range: Range = (0.2, 0.8),
        threshold: float | Literal["random"] = 0.5,
        min_perlin_scale: int = 0,
        perlin_scale: int = 6,
        rotation: Range = (-90, 90),
        augment_source: bool = True,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Blend in a mildly augmented source where one Perlin noise, either of
        two or both of two exceed a threshold (GLASS).

        Each of the three has probability 1/3. A severity fixes the covered
        area; then the intersection of two noises is not drawn.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        anom_source_img : optional
            A texture, see `Anomaly_Insertion`; None uses the image itself,
            rotated by 180 degrees.
        use_mask : bool, default True
            Whether the anomaly is restricted to the automatic foreground.
        beta_mean, beta_std : float, default 0.5 and 0.1
            Mean and standard deviation, both in [0, 1], of the normal
            distribution of the weight of the normal image in the blend.
        beta_range : (float, float), default (0.2, 0.8)
            Bounds of that weight, in [0, 1]; a higher severity moves it from
            the upper to the lower bound.
        threshold : float or "random", default 0.5
            The noise level, in [-1, 1], above which a pixel belongs to the
            mask.
        min_perlin_scale, perlin_scale : int, default 0 and 6
            Each axis has 2 ** n lattice cells, with n drawn from
            ``min_perlin_scale .. perlin_scale - 1``.
        rotation : (float, float), default (-90, 90)
            Range of the angle by which the noise is rotated, in degrees in
            [-360, 360].
        augment_source : bool, default True
            Whether three of nine mild augmentations change the source:
            contrast, brightness, hue and saturation, horizontal or vertical
            flip, conversion to gray, autocontrast, equalization, rotation by up
            to 45 degrees.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is where the source was blended in.

        References
        ----------
        .. [1] Q. Chen, H. Luo, C. Lv, Z. Zhang, "A Unified Anomaly Synthesis
           Strategy with Gradient Ascent for Industrial Anomaly Detection and
           Localization", ECCV, 2024, pp. 37-54,
           doi:10.1007/978-3-031-72855-6_3.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.glass(
        ...     image, anom_source_img=skimage.data.gravel()
        ... )
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            glass,
            image,
            anom_source_img,
            roi=roi,
            severity=severity,
            rng=rng,
            use_mask=use_mask,
            beta_mean=beta_mean,
            beta_std=beta_std,
            beta_range=beta_range,
            threshold=threshold,
            min_perlin_scale=min_perlin_scale,
            perlin_scale=perlin_scale,
            rotation=rotation,
            augment_source=augment_source,
        )

    def scratch(
        self,
        image: ImageLike,
        *,
        n_strokes: Range = (1, 4),
        length: Range = (0.1, 0.7),
        width: Range = (0.003, 0.012),
        contrast: Range = (2.5, 7.0),
        tone: Literal["dark", "bright"] | None = None,
        light: float | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a scratch: one to four nearly parallel, gently curved grooves.

        They taper at both ends and skip where the pressure was low. The core of
        a groove changes in the direction of `tone`, and the wall that faces the
        light in the opposite direction.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        n_strokes : (int, int), default (1, 4)
            Number of grooves, 1 to 100.
        length : (float, float), default (0.1, 0.7)
            Length of the longest groove as a fraction of the shorter side of
            the image or `roi`, in (0, 1].
        width : (float, float), default (0.003, 0.012)
            Largest width, as the same kind of fraction, in (0, 1]; at least one
            pixel.
        contrast : (float, float), default (2.5, 7.0)
            Change of the level, in units of the local spread, see `Beyond`, in
            (0, 100].
        tone : {None, "dark", "bright"}
            The direction in which the core changes; None uses the direction
            with more headroom.
        light : float, optional
            Where the light comes from, see `Beyond`, in degrees in [-360, 360];
            drawn randomly by default.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the grooves with both walls.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.scratch(image, light=90)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            scratch,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            n_strokes=n_strokes,
            length=length,
            width=width,
            contrast=contrast,
            tone=tone,
            light=light,
        )

    def crack(
        self,
        image: ImageLike,
        *,
        n_branches: Range = (0, 5),
        length: Range = (0.15, 0.8),
        width: Range = (0.002, 0.012),
        factor: Range = (0.2, 0.6),
        contrast: Range = (2.5, 6.0),
        light: float | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a crack: a jagged line with branches that deviates randomly
        from its direction.

        It is widest somewhere along its length and tapers to its tips; its
        edges are ragged. It multiplies the image by a factor, which preserves
        the texture. On a place so dark that this would not be visible, it is
        bright. The edge that faces the light has a faint bright rim.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        n_branches : (int, int), default (0, 5)
            Number of branches, 0 to 100; they leave the crack at an angle of
            about 45 degrees.
        length : (float, float), default (0.15, 0.8)
            Length along the crack as a fraction of the shorter side of the
            image or `roi`, in (0, 1].
        width : (float, float), default (0.002, 0.012)
            Largest width, as the same kind of fraction, in (0, 1]; at least one
            pixel.
        factor : (float, float), default (0.2, 0.6)
            Factor by which the image is multiplied inside the crack, in [0, 1].
        contrast : (float, float), default (2.5, 6.0)
            Smallest change of the level, in units of the local spread, see
            `Beyond`, in (0, 100].
        light : float, optional
            Where the light comes from, see `Beyond`, in degrees in [-360, 360];
            drawn randomly by default.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the crack with its bright rim.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.crack(image, n_branches=(2, 5))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            crack,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            n_branches=n_branches,
            length=length,
            width=width,
            factor=factor,
            contrast=contrast,
            light=light,
        )

    def stain(
        self,
        image: ImageLike,
        *,
        n_blots: Range = (1, 3),
        size: Range = (0.03, 0.3),
        opacity: Range = (0.2, 0.7),
        rim: float = 0.5,
        contrast: Range = (2.5, 6.0),
        tone: Literal["dark", "bright"] | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a stain: one to three blots with an uneven contour, through
        which the texture shows.

        In RGB images a dark stain has a tint, such as that of dirt, coffee or
        glue.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        n_blots : (int, int), default (1, 3)
            Number of ellipses, warped by smooth noise, that run into each
            other, 1 to 100.
        size : (float, float), default (0.03, 0.3)
            Longer axis of the largest one as a fraction of the shorter side of
            the image or `roi`, in (0, 1]; at least one pixel.
        opacity : (float, float), default (0.2, 0.7)
            How much of the texture the stain hides, in [0, 1].
        rim : float, default 0.5
            Probability of a stronger rim, as a dried drop has, in [0, 1].
        contrast : (float, float), default (2.5, 6.0)
            Change of the level, in units of the local spread, see `Beyond`, in
            (0, 100].
        tone : {None, "dark", "bright"}
            None is dark wherever a dark stain is visible. A bright stain is a
            granular deposit.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the blots.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.stain(image, tone="dark")
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            stain,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            n_blots=n_blots,
            size=size,
            opacity=opacity,
            rim=rim,
            contrast=contrast,
            tone=tone,
        )

    def pitting(
        self,
        image: ImageLike,
        *,
        n_pits: Range = (3, 60),
        radius: Range = (0.003, 0.02),
        contrast: Range = (4.5, 11.0),
        light: float | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert pitting: a cluster of ragged pits that have merged at its
        center and are sparse toward its border.

        A pit is dark with a rough bottom, and its wall on the side away from
        the light is bright, in the hue of the surface. On a place so dark that
        this would not be visible, it is bright with a dark wall.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        n_pits : (int, int), default (3, 60)
            Number of pits, 1 to 1000.
        radius : (float, float), default (0.003, 0.02)
            Bounds of the radii, which are lognormal, as fractions of the
            shorter side of the image or `roi`, in (0, 0.5]; at least half a
            pixel.
        contrast : (float, float), default (4.5, 11.0)
            Change of the level, in units of the local spread, see `Beyond`, in
            (0, 100].
        light : float, optional
            Where the light comes from, see `Beyond`, in degrees in [-360, 360];
            drawn randomly by default.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the pits with their bright walls.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.pitting(image, n_pits=(5, 20))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            pitting,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            n_pits=n_pits,
            radius=radius,
            contrast=contrast,
            light=light,
        )

    def dent(
        self,
        image: ImageLike,
        *,
        size: Range = (0.05, 0.3),
        raised: bool | None = None,
        contrast: Range = (1.8, 4.0),
        light: float | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a dent: a smooth elliptic hollow or bump.

        It is shaded according to its slope relative to the light, and the
        texture is displaced along the slope. A hollow is dark on the side of
        the light and bright on the opposite side; a bump is the reverse.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        size : (float, float), default (0.05, 0.3)
            Longer axis as a fraction of the shorter side of the image or `roi`,
            in (0, 1]; at least one pixel.
        raised : bool, optional
            Whether it is a bump; drawn randomly by default.
        contrast : (float, float), default (1.8, 4.0)
            Change of the level by the shading, in units of the local spread,
            see `Beyond`, in (0, 100].
        light : float, optional
            Where the light comes from, see `Beyond`, in degrees in [-360, 360];
            drawn randomly by default.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is where the surface slopes or lies deep.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.dent(image, raised=False)
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            dent,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            size=size,
            raised=raised,
            contrast=contrast,
            light=light,
        )

    def chip(
        self,
        image: ImageLike,
        *,
        size: Range = (0.03, 0.15),
        fill_with: Literal["background", "fracture"] | None = None,
        contrast: Range = (2.5, 6.0),
        light: float | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a chip: a piece with an irregular outline that is broken out
        of an edge.

        The edge is that of the `roi`, else of the automatic foreground, else of
        the image. The line of the fracture is bright.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        size : (float, float), default (0.03, 0.15)
            Width along the edge as a fraction of the shorter side of the image
            or `roi`, in (0, 1]; at least one pixel. The chip is about half as
            deep.
        fill_with : {None, "background", "fracture"}
            What fills the gap: the background, mirrored at the edge, or the
            rough facets of the fracture; None draws one of the two. Beyond the
            border of the image there is no background, so the gap is filled
            with the fracture.
        contrast : (float, float), default (2.5, 6.0)
            Change of the level by the fracture, in units of the local spread,
            see `Beyond`, in (0, 100].
        light : float, optional
            Where the light comes from, see `Beyond`, in degrees in [-360, 360];
            drawn randomly by default.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the gap with the line of the fracture.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.chip(image, fill_with="fracture")
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            chip,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            size=size,
            fill_with=fill_with,
            contrast=contrast,
            light=light,
        )

    def fiber(
        self,
        image: ImageLike,
        *,
        length: Range = (0.1, 0.8),
        width: Range = (0.003, 0.008),
        curl: Range = (0.2, 1.2),
        contrast: Range = (3.0, 8.0),
        tone: Literal["dark", "bright"] | None = None,
        light: float | None = None,
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert a fiber: a thin, curled thread of constant width on the
        surface, with a soft shadow on the side away from the light.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        length : (float, float), default (0.1, 0.8)
            Length along the thread as a fraction of the shorter side of the
            image or `roi`, in (0, 10].
        width : (float, float), default (0.003, 0.008)
            Width, as the same kind of fraction, in (0, 1]; at least one pixel.
        curl : (float, float), default (0.2, 1.2)
            Total curl, in full turns in [0, 20]; it does not depend on the
            severity.
        contrast : (float, float), default (3.0, 8.0)
            Change of the level, in units of the local spread, see `Beyond`, in
            (0, 100].
        tone : {None, "dark", "bright"}
            None uses the direction with more headroom.
        light : float, optional
            Where the light comes from, see `Beyond`, in degrees in [-360, 360];
            drawn randomly by default.
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the thread with its shadow.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.fiber(image, curl=(0, 0.5))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            fiber,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            length=length,
            width=width,
            curl=curl,
            contrast=contrast,
            tone=tone,
            light=light,
        )

    def corrosion(
        self,
        image: ImageLike,
        *,
        size: Range = (0.05, 0.4),
        opacity: Range = (0.55, 0.95),
        contrast: Range = (2.5, 6.0),
        roi: ROILike | None = None,
        severity: Severity | None = None,
        rng: RNGLike | None = None,
    ) -> PseudoAnomaly:
        """Insert corrosion: grainy, patchy clusters with satellites.

        It is red-brown in RGB images. In all others it is darker and rougher
        than the image, or brighter where the image is too dark.

        Parameters
        ----------
        image : ndarray or PIL.Image.Image
            The normal image.
        size : (float, float), default (0.05, 0.4)
            Longer axis of the cluster as a fraction of the shorter side of the
            image or `roi`, in (0, 1]; at least one pixel.
        opacity : (float, float), default (0.55, 0.95)
            How much of the image the densest part hides, in [0.2, 1].
        contrast : (float, float), default (2.5, 6.0)
            Smallest change of the level, in units of the local spread, see
            `Beyond`, in (0, 100].
        roi, severity, rng : optional
            As for every method, see `Anomaly_Insertion`.

        Returns
        -------
        PseudoAnomaly
            ``(i_a, m_a)``; the mask is the clusters and satellites.

        Examples
        --------
        >>> import skimage.data
        >>> from pail import pai
        >>> insertion = pai.Anomaly_Insertion(rng=0)
        >>> image = skimage.data.brick()
        >>> i_a, m_a = insertion.corrosion(image, size=(0.1, 0.2))
        >>> bool((i_a == image)[m_a[..., 0] == 0].all()), bool(m_a.any())
        (True, True)
        """
        return self._apply(
            corrosion,
            image,
            roi=roi,
            severity=severity,
            rng=rng,
            size=size,
            opacity=opacity,
            contrast=contrast,
        )
