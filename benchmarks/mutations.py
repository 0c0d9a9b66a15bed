"""Check that the tests detect errors: each mutation breaks one promise, and a test has to fail.

``make mutations``, or ``python benchmarks/mutations.py WORD ...`` for those whose names contain one of the words. The
repository is copied and the copy is mutated. Exits with 1 if a mutation survives, if its old text is no longer
found exactly once, or if its tests fail without it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "pail", "tests", "docs", "example_img", "anom_source_imgs", "examples", "benchmarks", "README.md", "pyproject.toml",
)  # fmt: skip
SKIPPED = shutil.ignore_patterns("__pycache__", ".venv", "*.pyc")
TIME_LIMIT = 180  # seconds for the tests of a mutation; it is noticed if they take longer
PASSED, FAILED = 0, 1  # pytest's exit codes; the others say that no test was run
DIED = -1  # the process ended before its tests did


class Mutation(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    tests: str  # pytest's arguments; what follows -k is one expression


# fmt: off
MUTATIONS = (
    # Keywords without an effect
    Mutation(
        "perlin: resize ignored", "pail/sbi/perlin_noise_pattern.py",
        "roi=image.roi, shape=resize)", "roi=image.roi)",
        "tests/techniques/test_perlin.py",
    ),
    Mutation(
        "perlin: rotation ignored", "pail/pixels/noise.py",
        "(min_perlin_scale, perlin_scale - 1), rotation)", "(min_perlin_scale, perlin_scale - 1), (-90.0, 90.0))",
        "tests/techniques/test_perlin.py tests/techniques/test_keywords.py -k perlin",
    ),
    Mutation(
        "perlin: perlin_scale ignored", "pail/pixels/noise.py",
        "cls(threshold, (min_perlin_scale, perlin_scale - 1)", "cls(threshold, (min_perlin_scale, max(min_perlin_scale, 5))",
        "tests/techniques/test_perlin.py tests/techniques/test_keywords.py -k perlin",
    ),
    Mutation(
        "perlin: threshold ignored", "pail/pixels/noise.py",
        "return cls(threshold, (", "return cls(0.5, (",
        "tests/techniques/test_perlin.py tests/techniques/test_keywords.py -k perlin",
    ),
    Mutation(
        "superpixel: compactness ignored", "pail/sbi/superpixel_anomaly.py",
        "count, compactness=firmness, sigma=sigma)", "count, compactness=8, sigma=sigma)",
        "tests/techniques/test_superpixel_anomaly.py -k shape_the_pieces",
    ),
    Mutation(
        "superpixel: sigma ignored", "pail/sbi/superpixel_anomaly.py",
        "count, compactness=firmness, sigma=sigma)", "count, compactness=firmness, sigma=1)",
        "tests/techniques/test_superpixel_anomaly.py -k shape_the_pieces",
    ),
    Mutation(
        "simplex: frequency ignored", "pail/sfi/simplex_noise/technique.py",
        "max(2.0, frequency * image.region_side)", "max(2.0, image.region_side / 8)",
        "tests/techniques/test_simplex_noise.py",
    ),
    Mutation(
        "simplex: persistence ignored", "pail/sfi/simplex_noise/technique.py",
        "wavelength, octaves, persistence, sampler.rng", "wavelength, octaves, 0.6, sampler.rng",
        "tests/techniques/test_simplex_noise.py",
    ),
    Mutation(
        "fract_aug: n_maps ignored", "pail/sbi/fractal/chaos_game.py",
        "random_maps(sampler.rng, game.n_maps)", "random_maps(sampler.rng, 2)",
        "tests/techniques/test_fract_aug.py -k maps",
    ),
    Mutation(
        "fract_aug: margin ignored", "pail/sbi/fractal/technique.py",
        "low = math.ceil(margin * size)", "low = 0",
        "tests/techniques/test_fract_aug.py -k margin",
    ),
    Mutation(
        "hard_aug_cutpaste: saturation ignored", "pail/sfi/hard_aug_cutpaste.py",
        '"saturation": saturation', '"saturation": 0.1',
        "tests/techniques/test_hard_aug_cutpaste.py tests/techniques/test_keywords.py -k saturation",
    ),
    Mutation(
        "affined: n_damage ignored", "pail/sfi/affined/technique.py",
        "damage(content, sampler, image.max_value, n_damage)", "damage(content, sampler, image.max_value, 5)",
        "tests/techniques/test_affined_anomlay.py -k damaged",
    ),
    Mutation(
        "affined: resize ignored", "pail/sfi/affined/technique.py",
        "scale = 1.0 if measured_at is None else PAPER_SIDE / min(measured_at)", "scale = 1.0",
        "tests/techniques/test_affined_anomlay.py -k resize",
    ),
    Mutation(
        "insert: weights ignored", "pail/call/insert.py",
        "zip(entries, _weights(weights, len(entries))", "zip(entries, _weights(None, len(entries))",
        "tests/call/test_control.py -k insert",
    ),
    Mutation(
        "source_range ignored", "pail/core/source.py",
        "default if given is None else given, keyword", "default, keyword",
        "tests/call/test_promises.py -k range",
    ),
    Mutation(
        "alpha=False ignored", "pail/core/image.py",
        "    if alpha is not None:\n", "    if alpha:\n",
        "tests/call/test_promises.py -k bands",
    ),
    Mutation(
        "a keyword not handed on", "pail/pai.py",
        "octaves=octaves,", "octaves=6,",
        "tests/techniques/test_keywords.py",
    ),
    # What a technique is
    Mutation(
        "AAC under its second name not recolored", "pail/pai.py",
        'keywords.setdefault("variant", "AAC")', 'keywords.get("variant", "AAC")',
        "tests/techniques/test_affined_anomlay.py -k second_name",
    ),
    Mutation(
        "perlin_with_roi: structure not shuffled", "pail/sbi/perlin_with_roi.py",
        'sampler.sample("cells", len(cells), len(cells))', "range(len(cells))",
        "tests/techniques/test_perlin.py",
    ),
    Mutation(
        "perlin_with_roi: foreground not used", "pail/sbi/perlin_with_roi.py",
        "region = foreground_of(image)", "return image.roi",
        "tests/techniques/test_perlin.py",
    ),
    Mutation(
        "perlin_with_roi: an empty foreground taken for one", "pail/sbi/perlin_with_roi.py",
        "    if cv2.hasNonZero(region):\n", "    if True:\n",
        "tests/techniques/test_perlin.py -k background",
    ),
    Mutation(
        "cutpaste_scar: wider than long", "pail/sfi/cutpaste_scar.py",
        "max(columns, round(", "max(1, round(",
        "tests/techniques/test_cutpaste_scar.py",
    ),
    Mutation(
        "cutpaste_scar: rotated clockwise", "pail/sfi/cutpaste_scar.py",
        "(rows - 1) / 2), angle, 1)", "(rows - 1) / 2), -angle, 1)",
        "tests/techniques/test_cutpaste_scar.py",
    ),
    Mutation(
        "cutpaste: an unchanged patch on its own place", "pail/sfi/cutpaste.py",
        "if transform is not False or target != origin:", "if True:",
        "tests/techniques/test_cutpaste.py",
    ),
    Mutation(
        "random_perturbation: all background answered with a corner", "pail/sfi/random_perturbation.py",
        "return mask if cv2.hasNonZero(allowed) else None",
        "return mask if cv2.hasNonZero(allowed) else np.pad(np.full((1, 1), 255, np.uint8), ((0, 3), (0, 3)))",
        "tests/techniques/test_random_perturbation.py",
    ),
    Mutation(
        "random_perturbation: given up in a corner", "pail/sfi/random_perturbation.py",
        '            break\n    sampler.keep("top", box.top)',
        '            break\n    else:\n        box = Box(0, 0, height, width)\n    sampler.keep("top", box.top)',
        "tests/techniques/test_random_perturbation.py",
    ),
    Mutation(
        "hard_aug_cutpaste: an order that changes nothing", "pail/sfi/hard_aug_cutpaste.py",
        "permutations(range(4)))[1:]", "permutations(range(4)))",
        "tests/techniques/test_hard_aug_cutpaste.py",
    ),
    Mutation(
        "severity does not fade", "pail/core/sampler.py",
        'return self.keep("opacity", self.at_severity("opacity"))', "return 1.0",
        "tests/techniques/test_random_perturbation.py tests/techniques/test_hard_aug_cutpaste.py -k severity",
    ),
    # Several anomalies, regions, windows, masks
    Mutation(
        "insert: a later anomaly may put the normal image back", "pail/call/run.py",
        "        if call.shows(i_a, m_a):", "        if True:",
        "tests/call/test_control.py -k give_back",
    ),
    Mutation(
        "insert: restored pixels stay in the mask", "pail/call/state.py",
        "            np.copyto(whole, 0, where=back)\n", "",
        "tests/call/test_control.py -k restored",
    ),
    Mutation(
        "a window's low end not added back", "pail/core/window.py",
        "values + np.float32(self.low) if self.low else values", "values",
        "tests/core/test_window.py",
    ),
    Mutation(
        "coco: ids from 0", "pail/dataset/labels.py",
        "written[key] + 1", "written[key]",
        "tests/dataset/test_dataset_labels.py",
    ),
    Mutation(
        "mask files: any value is true", "pail/io/read.py",
        "mask = values >= top / 2", "mask = values > 0",
        "tests/io/test_io.py -k mask",
    ),
    # Places
    Mutation(
        "place: tries not uniform", "pail/pixels/placing.py",
        "int(down * fits.height)", "int(down * down * fits.height)",
        "tests/call/test_promises.py -k uniform",
    ),
    Mutation(
        "place: always the first fit", "pail/pixels/placing.py",
        "good[(rng.random(PICKS) * len(good)).astype(int)]", "good[:PICKS]",
        "tests/call/test_promises.py -k uniform or seam or partial",
    ),
    Mutation(
        "place: no exact answer after the tries", "pail/pixels/placing.py",
        "found = _fullest(roi, rng, fits, (height, width), shape)\n        if found and _overlap(roi, found, shape) == full:",
        "found = Box(fits.top, fits.left, height, width)\n        if found:",
        "tests/call/test_promises.py -k seam",
    ),
    Mutation(
        "place: shape taken for its box", "pail/pixels/placing.py",
        "box = _place_in_roi(image.roi, sampler.rng, height, width, shape)",
        "box = _place_in_roi(image.roi, sampler.rng, height, width, None)",
        "tests/call/test_promises.py -k seam",
    ),
    # One writer, one frame
    Mutation(
        "composite: ROI not applied", "pail/core/composite.py",
        "mask = _in_roi(image.roi[box.slices], mask)", "pass",
        "tests/call/test_control.py -k l_shaped_roi",
    ),
    Mutation(
        "composite: integers cut off, not rounded", "pail/core/window.py",
        "rounded: np.ndarray = np.rint(values)", "rounded: np.ndarray = np.trunc(values)",
        "tests/call/test_promises.py -k rounded",
    ),
    Mutation(
        "composite: floats clipped in float32", "pail/core/window.py",
        "np.clip(values, dtype.type(self.low), dtype.type(self.high))", "values",
        "tests/call/test_promises.py -k saturated_float",
    ),
    Mutation(
        "composite: data_range not the limit", "pail/core/window.py",
        "self.low, math.floor(self.high), out=rounded)", "self.low, np.iinfo(dtype).max, out=rounded)",
        "tests/core/test_inputs.py -k twelve_bit",
    ),
    Mutation(
        "run: the first try is returned", "pail/call/run.py",
        "if not is_visible(image, i_a, insertion.box):", "if False:",
        "tests/call/test_promises.py -k visibly",
    ),
    Mutation(
        "run: nothing shifted at last", "pail/call/run.py",
        "return composite(image, hit, shift=True)", "return composite(image, hit)",
        "tests/call/test_promises.py -k visibly",
    ),
    Mutation(
        "run: mask of the last anomaly only", "pail/call/run.py",
        "        call.lay(image, i_a, m_a)", "        call.i_a, call.m_a = i_a, m_a",
        "tests/call/test_control.py -k insert",
    ),
    Mutation(
        "frame: foreground of the altered image", "pail/core/image.py",
        "find(self.normal or self)", "find(self)",
        "tests/call/test_promises.py -k foregrounds",
    ),
    Mutation(
        "frame: the normal image forgotten by the next anomaly", "pail/core/image.py",
        "self.roi, normal, self.found, self._region", "self.roi, None, {}, self._region",
        "tests/call/test_promises.py -k foregrounds",
    ),
    Mutation(
        "threshold_foreground of the altered image", "pail/pixels/foreground.py",
        "    image = image.normal or image\n", "",
        "tests/call/test_promises.py -k foregrounds",
    ),
    Mutation(
        "resize: both axes in one way", "pail/core/ops.py",
        "if any(shrinks) and any(grows) and not nearest:", "if False:",
        "tests/call/test_promises.py -k axis",
    ),
    # Draws and records
    Mutation(
        "a moved draw", "pail/core/sampler.py",
        "return self.integer(name, low, high)\n        self.rng.random()\n", "return self.integer(name, low, high)\n",
        "tests/techniques/test_golden.py",
    ),
    Mutation(
        "copies of an unseeded stream repeat", "pail/core/sampler.py",
        "        if not self.is_seeded:\n", "        if False:\n",
        "tests/call/test_promises.py -k copies",
    ),
    Mutation(
        "forked processes repeat", "pail/core/sampler.py",
        "if self._generator is None or self._token != Process.token:", "if self._generator is None:",
        "tests/call/test_processes.py",
    ),
    Mutation(
        "record without the settings", "pail/call/record.py",
        "in given.settings._asdict().items()}", "in Settings()._asdict().items()}",
        "tests/call/test_promises.py -k record",
    ),
    Mutation(
        "record of the state after the draws", "pail/call/record.py",
        '"rng": _texts(given.rng)', '"rng": _texts(steps[0].sampler.rng.bit_generator.state)',
        "tests/call/test_control.py -k record",
    ),
    Mutation(
        "record of the altered image", "pail/call/record.py",
        "of_image(given.shape, given.dtype, given.image)", "of_image(given.shape, given.dtype, fingerprint(i_a))",
        "tests/call/test_control.py -k record",
    ),
    Mutation(
        "record of what the arguments became", "pail/call/record.py",
        "value if type(value) in IMMUTABLE else snapshot(value) for", "value for",
        "tests/call/test_records.py -k change",
    ),
    Mutation(
        "replay: any source", "pail/call/replay.py",
        'if old["source"] != new["source"] and', "if False and",
        "tests/call/test_records.py -k form",
    ),
    Mutation(
        "replay: any form of the source", "pail/call/replay.py",
        "if form != recorded:", "if False:",
        "tests/call/test_records.py -k form",
    ),
    Mutation(
        "replay: any bytes", "pail/call/replay.py",
        "if not different:", "if True:",
        "tests/call/test_records.py -k error",
    ),
    Mutation(
        "replay: any setting of alpha", "pail/call/replay.py",
        "if not isinstance(settings.alpha, bool | None):", "if False:",
        "tests/call/test_records.py -k damage",
    ),
    # Citations
    Mutation(
        "cite: a paper of two techniques twice", "pail/citation.py",
        "dict.fromkeys(entries)", "entries",
        "tests/docs/test_references.py -k once",
    ),
    Mutation(
        "cite: no close matches", "pail/citation.py",
        "if close else", "if not close else",
        "tests/docs/test_references.py -k close",
    ),
    Mutation(
        "cite: pages with one hyphen", "pail/references.py",
        'self.pages.replace("-", "--")', "self.pages",
        "tests/docs/test_references.py -k bibtex_of_all",
    ),
    Mutation(
        "a docstring cites another year", "pail/references.py",
        "str(self.year)]\n", "str(self.year - 1)]\n",
        "tests/docs/test_references.py -k docstring",
    ),
    # Families beyond the eleven, banks and tiles
    Mutation(
        "insert: all techniques by default", "pail/call/insert.py",
        "for name in by_default()]", "for name in TECHNIQUES if not TECHNIQUES[name].takes_defects]",
        "tests/call/test_families.py -k eleven_alone",
    ),
    Mutation(
        "insert: a bank does not decide", "pail/call/insert.py",
        'techniques = "real"', "pass",
        "tests/call/test_families.py -k bank_alone",
    ),
    Mutation(
        "insert: a preset without its options", "pail/call/insert.py",
        "{**chosen.options[name], **given.pop(name, {})}", "given.pop(name, {})",
        "tests/call/test_families.py -k preset",
    ),
    Mutation(
        "replay: another bank taken", "pail/call/replay.py",
        "if shown != recorded:", "if False:",
        "tests/call/test_families.py -k by_content",
    ),
    Mutation(
        "real_defect: a row more than there is room for", "pail/beyond/real/real_defect.py",
        "if tight.height > room[1] or tight.width > room[0]:", "if False:",
        "tests/call/test_families.py -k as_large_as",
    ),
    Mutation(
        "bank: a defect counts in each format", "pail/beyond/real/annotations.py",
        "    catalog.drop_repeated()\n", "",
        "tests/techniques/test_real_defects.py -k two_formats",
    ),
    Mutation(
        "resize: floats leave their range", "pail/core/ops.py",
        "np.clip(resized, low, high, out=resized)", "pass",
        "tests/dataset/test_side_by_side.py -k full_scale",
    ),
    Mutation(
        "recipe: a set's masks taken for regions", "pail/dataset/recipe.py",
        "if is_of_set or not isinstance(given, str)", "if not isinstance(given, str)",
        "tests/dataset/test_side_by_side.py -k recipe_of_a_set",
    ),
    # What is shown
    Mutation(
        "tune: another draw than the recipe's", "pail/app/draws.py",
        "rng=(checked.seed, item.number)", "rng=(checked.seed, item.number + 1)",
        "tests/app/test_tune.py -k recipe_makes",
    ),
    Mutation(
        "tune: other hosts answered", "pail/app/serve.py",
        "return 403", "pass",
        "tests/app/test_tune.py -k refused",
    ),
    Mutation(
        "nsa: the mask of a full patch for a faint one", "pail/beyond/nsa.py",
        " * np.float32(opacity)", "",
        "tests/techniques/test_published.py -k faint",
    ),
    Mutation(
        "pitting: rims fade to white", "pail/beyond/procedural/pitting.py",
        "tinted=True)", "tinted=False)",
        "tests/techniques/test_procedural.py -k hue",
    ),
    Mutation(
        "pitting: smooth outlines", "pail/beyond/procedural/pitting.py",
        "np.float32(RAGGED * typical))", "np.float32(0))",
        "tests/techniques/test_procedural.py -k ragged",
    ),
    Mutation(
        "chip: the background counts for the level of a fracture", "pail/beyond/procedural/chip.py",
        "find_site(image, sampler, measured,", "find_site(image, sampler, alpha,",
        "tests/techniques/test_procedural.py -k fracture",
    ),
    Mutation(
        "real_defect: source_range ignored", "pail/call/run.py",
        "inputs = (as_defects(call.defects), settings.source_range)", "inputs = (as_defects(call.defects), None)",
        "tests/techniques/test_real_defects.py -k range",
    ),
    Mutation(
        "record: a bank that was not used", "pail/call/record.py",
        "given.defects if any(step.takes_defects for step in steps) else None", "given.defects",
        "tests/call/test_records.py -k needed_again",
    ),
    Mutation(
        "an attribute without an effect", "pail/pai.py",
        "if type(self) is Anomaly_Insertion and not", "if False and not",
        "tests/core/test_window.py -k no_effect",
    ),
    Mutation(
        "corrosion: bright where there is more headroom", "pail/beyond/procedural/corrosion.py",
        ', tone="hollow"', "",
        "tests/techniques/test_procedural.py -k dark_wherever",
    ),
    Mutation(
        "panels: anomalies cut off at the values of the image", "pail/pixels/panels.py",
        "for copy in changed:", "for copy in ():",
        "tests/report/test_preview.py -k texture",
    ),
    Mutation(
        "panels: alpha counted as a level", "pail/pixels/panels.py",
        "part = _bands(image)[::step, ::step]", "part = image[::step, ::step]",
        "tests/report/test_preview.py -k alpha",
    ),
    Mutation(
        "write: any format offered", "pail/io/write.py",
        'return ("tiff",)', "return FORMATS[:2]",
        "tests/io/test_io.py -k names_those_that_can",
    ),
    Mutation(
        "show: the mask not outlined", "pail/call/show.py",
        "outline(whole, mask, crop)", "whole",
        "tests/call/test_show.py",
    ),
)
# fmt: on


def main(words: list[str]) -> int:
    chosen = [m for m in MUTATIONS if not words or any(word in m.name for word in words)]
    stale = [m for m in chosen if (ROOT / m.file).read_text().count(m.old) != 1]
    for mutation in stale:
        print(f"stale      {mutation.name}: {mutation.file} does not contain the old text exactly once")
    with tempfile.TemporaryDirectory(prefix="pail-mutations-") as folder:
        copy = Path(folder).resolve() / "repository"
        copy_repository(copy)
        broken = check_tests(copy, list(dict.fromkeys(mutation.tests for mutation in chosen)))
        bad = len(stale) + len(broken)
        for mutation in chosen:
            if mutation not in stale and mutation.tests not in broken:
                bad += not is_killed(copy, mutation)
    print(f"{len(chosen)} mutations, {bad} to look at")
    return int(bad > 0)


def copy_repository(copy: Path) -> None:
    """Copy what the tests need, and see that they import the copy."""
    copy.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=SKIPPED)
        else:
            shutil.copy2(ROOT / name, copy / name)
    where = run(copy, ["-c", "import pail; print(pail.__file__)"]).stdout.strip()
    assert Path(where).resolve().is_relative_to(copy), f"the tests would import {where}"


def check_tests(copy: Path, selections: list[str]) -> set[str]:
    """The selections that fail, or contain no test, without a mutation. They run in one process to save time.

    If the process exits early, as it may after a test of the page, the next one continues.
    """
    script = (
        "import json, sys, pytest\nfor words in json.loads(sys.argv[2]):\n    code = int(pytest.main(words))\n"
        "    print(code, file=open(sys.argv[1], 'a'))"
    )
    notes = copy.parent / "codes.txt"
    codes: list[int] = []
    while len(codes) < len(selections):
        notes.write_text("")
        left = [arguments(tests) for tests in selections[len(codes) :]]
        run(copy, ["-c", script, str(notes), json.dumps(left)], limit=None)
        codes += [int(line) for line in notes.read_text().split()] or [DIED]
    broken = {tests: code for tests, code in zip(selections, codes, strict=True) if code != PASSED}
    for tests, code in broken.items():
        print(f"broken     without a mutation, pytest {tests} ends with {code}")
    return set(broken)


def is_killed(copy: Path, mutation: Mutation) -> bool:
    """Apply a mutation to the copy, run its tests, and take it back."""
    path = copy / mutation.file
    text = path.read_text()
    path.write_text(text.replace(mutation.old, mutation.new))
    try:
        code, seconds = run_tests(copy, mutation.tests)
    finally:
        path.write_text(text)
    verdict = {FAILED: "killed", PASSED: "survived", None: "killed"}.get(code, f"error {code}")
    print(f"{verdict:10} {seconds:5.1f} s  {mutation.name}", flush=True)
    return verdict == "killed"


def run_tests(copy: Path, tests: str) -> tuple[int | None, float]:
    """Pytest's exit code, None where the time was up, and the seconds that it took."""
    start = time.perf_counter()
    try:
        code = run(copy, ["-m", "pytest", *arguments(tests)]).returncode
    except subprocess.TimeoutExpired:
        code = None
    return code, time.perf_counter() - start


def arguments(tests: str) -> list[str]:
    files, _, expression = tests.partition(" -k ")
    return ["-x", "-q", "-p", "no:cacheprovider", *files.split(), *(["-k", expression] if expression else [])]


def run(copy: Path, command: list[str], limit: int | None = TIME_LIMIT) -> subprocess.CompletedProcess[str]:
    # No bytecode: a mutation of the same length within the same second would not be seen.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, timeout=limit
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
