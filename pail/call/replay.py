"""Reproduce a result from its record."""

from __future__ import annotations

from typing import Any

import numpy as np

from pail._version import __version__
from pail.beyond.real.defects import Defects, as_defects
from pail.call import record as records
from pail.call.codec import NOTHING, NotHeldError, decode
from pail.call.insert import insert
from pail.call.result import PseudoAnomaly
from pail.call.run import run
from pail.call.state import Common, Settings
from pail.core.checks import describe
from pail.core.image import NormalImage, as_normal_image
from pail.pixels.augmenter import as_transform
from pail.registry import TECHNIQUES, is_own

FIELDS = ("technique", "image", "anom_source_img", "defects", "rng", "settings", "arguments", "result")
PARTS = {"i_a": "the pseudo-anomalous image", "m_a": "the mask"}


def replay(
    record: dict[str, Any], image: Any, anom_source_img: Any = None, *, defects: Defects | None = None, **overrides: Any
) -> PseudoAnomaly:
    """Reproduce the result that a record describes, byte by byte.

    Parameters
    ----------
    record : dict
        The `record` of a result; it may have been stored as JSON.
    image : ndarray or PIL.Image.Image
        The normal image of that call.
    anom_source_img : optional
        The source of that call, if it used one, in the same form: for
        `insert` one image, a list of the same images in the same order, or
        an equal callable. It is ignored if the call did not use a source.
    defects : Defects, optional
        The bank of real defects of that call, if a real defect was drawn:
        the same photographs, masks and kinds, which may have been moved. It
        is ignored if none was drawn.
    **overrides
        Arguments that a record cannot contain because they are objects,
        such as ``augmenter=`` or ``transform=``. Those among the options of
        `insert` are passed in the same place:
        ``options={"perlin_noise_pattern": {"augmenter": augmenter}}``. An
        argument that the record does contain is replaced, and has to lead
        to the same bytes.

    Returns
    -------
    PseudoAnomaly
        ``(i_a, m_a)``, the same bytes as before.

    Raises
    ------
    TypeError
        If `record` is not a record, or the recorded call had no such
        argument.
    ValueError
        If the record was made by another minor version of the library; if
        the image, the source or the bank is not that of the record, or has
        another form; if an object has to be passed again; or if the bytes
        of the result differ from those of the record. In the last case the
        message says whether image or mask differ, and names possible
        causes: other versions of the library, NumPy, OpenCV, Pillow and
        scikit-image, registered techniques, and arguments that were passed
        again.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import pai, replay
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> result = pai.Anomaly_Insertion().random_perturbation(image)
    >>> again, mask = replay(result.record, image)
    >>> i_a, m_a = result
    >>> np.array_equal(again, i_a) and np.array_equal(mask, m_a)
    True
    """
    _check(record)
    recorded, steps = record["arguments"], [record]
    if record["technique"] == "insert":
        steps = record["steps"]
        recorded = _without_unused(recorded, steps, overrides)
    arguments = _arguments(recorded, overrides)
    kept = {name: record["settings"][name] for name in Settings._fields}
    settings = Settings(**_arguments(kept, {name: v for name, v in overrides.items() if name == "transform"}))
    settings = settings._replace(transform=as_transform("transform", settings.transform))
    if not isinstance(settings.alpha, bool | None):
        raise TypeError(f"`record` must contain None, True or False as `alpha`, got {describe(settings.alpha)}")
    _check_image(record, as_normal_image(image, settings.data_range, alpha=settings.alpha))
    source = _source(record["anom_source_img"], anom_source_img)
    bank = _bank(record["defects"], defects)
    common = Common(arguments.pop("roi"), arguments.pop("severity"), _generator(record["rng"]))
    if record["technique"] == "insert":
        result = insert(image, source, settings, common, defects=bank, bank_later=True, **arguments)
    else:
        _check_own(record["technique"], arguments)
        result = run(record["technique"], image, source, settings, common, arguments, bank)
    _check_result(record, steps, result, sorted(overrides))
    return result


def _check(value: Any) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("version"), str):
        raise TypeError(f"`record` must be the `record` of a result, a dict, got {describe(value)}")
    version = value["version"]
    if _minor(version) != _minor(__version__):
        raise ValueError(
            f"`record` must be of a version {_minor(__version__)}.x of the library, like {__version__}, got one of "
            f"{version!r}; other minor versions draw other anomalies"
        )
    missing = [field for field in FIELDS if field not in value]
    if missing:
        raise TypeError(f"`record` must be the `record` of a result, a dict, got one without {missing[0]!r}")
    if value["technique"] not in (*TECHNIQUES, "insert"):
        known = ", ".join((*TECHNIQUES, "insert"))
        raise ValueError(f"`record` must name a technique, one of {known}, got {value['technique']!r}")
    wanted = {
        "arguments": {"roi", "severity"},
        "settings": set(Settings._fields),
        "result": {"i_a", "m_a"},
        "image": {"shape", "dtype", "checksum"},
    }
    for field, keys in wanted.items():
        if not isinstance(value[field], dict) or not keys <= set(value[field]):
            raise TypeError(f"`record` must be the `record` of a result, a dict, got one without its {field}")
    steps = value.get("steps") if value["technique"] == "insert" else [value]
    if (
        not isinstance(steps, list)
        or not steps
        or not all(isinstance(step, dict) and {"technique", "source"} <= set(step) for step in steps)
    ):
        raise TypeError("`record` must be the `record` of a result, a dict, got one without its steps")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _without_unused(recorded: dict[str, Any], steps: list[dict[str, Any]], overrides: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `insert` without those options of techniques that were not drawn that contain objects."""
    options = recorded.get("options")
    if not isinstance(options, dict) or next(iter(options), "$").startswith("$"):
        return recorded
    kept = {}
    for name, entry in options.items():
        if name not in {step["technique"] for step in steps} and name not in (overrides.get("options") or {}):
            try:
                decode("options", entry)
            except NotHeldError:
                continue
        kept[name] = entry
    return {**recorded, "options": kept}


def _arguments(recorded: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    for name in overrides:
        if name not in recorded and name != "transform":
            raise TypeError(f"`{name}` must be an argument of the recorded call: {', '.join(recorded)}")
    return {name: decode(name, value, overrides.get(name, NOTHING)) for name, value in recorded.items()}


def _generator(state: Any) -> np.random.Generator:
    try:
        return records.rng_from_state(state)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"`record` must contain the state of a generator under 'rng', got {describe(state)}"
        ) from error


def _check_image(record: dict[str, Any], image: NormalImage) -> None:
    shown = records.of_image(image.pixels.shape, image.pixels.dtype, records.fingerprint(image.pixels))
    if shown != record["image"]:
        raise ValueError(f"`image` must be that of the record, {record['image']}, got {shown}")


def _source(recorded: dict[str, Any] | None, source: Any) -> Any:
    """The source, checked to have the recorded form; None if the recorded call used none."""
    if recorded is None:
        return None
    if source is None:
        raise ValueError(f"`anom_source_img` must be given: the record was made with {_form(recorded)}")
    form = records.source_form(source)
    if form != recorded:
        raise ValueError(
            f"`anom_source_img` must be given as in the recorded call, {_form(recorded)}, got {_form(form)}; "
            "the form determines which numbers are drawn"
        )
    return source


def _bank(recorded: dict[str, Any] | None, defects: Any) -> Defects | None:
    """The bank of real defects, checked; None if the recorded call used none."""
    if recorded is None:
        return None
    bank = as_defects(defects)
    shown = records.of_defects(bank)
    if shown != recorded:
        raise ValueError(f"`defects` must be the bank of the record, {recorded}, got {shown}")
    return bank


def _form(form: Any) -> str:
    name, count = (form.get("form"), form.get("count")) if isinstance(form, dict) else (None, None)
    return {"image": "one image", "callable": "a callable", "list": f"a list of {count}"}.get(str(name), describe(form))


def _check_own(technique: str, arguments: dict[str, Any]) -> None:
    """Check that a registered technique still has the recorded options."""
    known = ", ".join(TECHNIQUES[technique].parameters) or "no"
    for name in TECHNIQUES[technique].unknown(arguments):
        raise ValueError(
            f"`record` must be of the technique {technique!r} as it is registered, with {known} options, got one with "
            f"{name!r}"
        )


def _check_result(
    record: dict[str, Any], steps: list[dict[str, Any]], result: PseudoAnomaly, passed_again: list[str]
) -> None:
    """Raise an error if the bytes differ, which names possible causes."""
    again = result.record
    seen = again["steps"] if again["technique"] == "insert" else [again]
    for old, new in zip(steps, seen, strict=False):
        if old["source"] != new["source"] and old["technique"] == new["technique"]:
            raise ValueError(
                f"`anom_source_img` must be that of the record, with checksum {old['source']}, got {new['source']}"
            )
    different = [what for key, what in PARTS.items() if record["result"][key] != again["result"][key]]
    if not different:
        return
    there = {"pail": record["version"], **(record.get("stack") or {})}
    here = {"pail": __version__, **again["stack"]}
    causes = [f"{name} was {there.get(name)} and is now {here[name]}" for name in here if there.get(name) != here[name]]
    own = sorted({step["technique"] for step in (*steps, *seen) if is_own(step["technique"])})
    causes += [f"{name} is a registered technique, whose function may have changed" for name in own]
    causes += [f"`{name}` was passed again and may differ" for name in passed_again]
    if len(causes) == 0:
        causes = [
            "`image` or `anom_source_img` may differ in pixels that their checksums do not cover, or the result was "
            "modified before its record was read"
        ]
    raise ValueError(
        f"`record` must give the same bytes again; these differ: {' and '.join(different)}. "
        f"Possible causes: {'; '.join(causes)}"
    )
