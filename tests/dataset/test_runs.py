"""`pail generate` as a long run: sizes, checks before the start, resuming, interrupting, replaying."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import cv2
import joblib
import numpy as np
import pytest
from commands import unmeasured
from common import photograph
from PIL import Image

import pail
from pail.cli import run as command_line
from pail.dataset.inputs import values_in_use
from pail.dataset.make import InsertionError
from pail.dataset.progress import Progress
from pail.dataset.recipe import make_recipe
from pail.dataset.replay import remake
from pail.dataset.run import prepare_run
from pail.dataset.sizes import fitted, inside
from pail.dataset.store import StoppedError, Store
from pail.io.read import Picture, decode


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


@pytest.fixture
def parts(tmp_path):
    for i in range(6):
        write(tmp_path / "parts" / f"p{i}.png", photograph(48, 64, i))
    return tmp_path / "parts"


def manifest(folder):
    return [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text().splitlines()]


def images(folder):
    """The files of a set, except those that contain the command."""
    kept = (".png", ".txt", ".jsonl")
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in Path(folder).rglob("*")
        if p.is_file() and p.suffix in kept and ".pail" not in p.parts
    }


@pytest.fixture
def said(capsys):
    """The output of a command, whose exit status is checked."""

    def call(*arguments, status=0):
        code = 0
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # as outside of tests
            try:
                command_line([*map(str, arguments)])
            except SystemExit as ended:
                code = ended.code
        text = "".join(capsys.readouterr())
        assert code == status, text
        return text

    return call


@pytest.fixture
def failing():
    """A technique that raises a given error."""

    def faulty(frame, draw, *, kind="TypeError"):
        if frame.shape != (48, 48):  # the size of the trial before a run
            raise {"TypeError": TypeError, "ValueError": ValueError, "KeyError": KeyError}[kind]("unexpected thing")
        box = pail.place(frame, draw, 6, 6)
        return pail.Insertion(box, np.full((6, 6, frame.channels), frame.max_value, np.float32))

    pail.register("faulty", faulty)
    yield
    pail.unregister("faulty")


# Sizes


def ramp(height, width):
    """Values increase from left to right and from top to bottom, so that a crop can be located."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.dstack([rows * 255 / (height - 1), columns * 255 / (width - 1)]).astype(np.float32)


def test_one_number_is_the_shorter_side():
    assert fitted(ramp(480, 640), 256).shape == (256, 341, 2)
    assert fitted(ramp(640, 480), 256).shape == (341, 256, 2)
    assert fitted(ramp(30, 20), 40).shape == (60, 40, 2)
    assert fitted(photograph(48, 64), None) is photograph(48, 64)


def test_crop_keeps_proportions_and_the_middle():
    shown = fitted(ramp(480, 640), (240, 240), "crop")
    assert shown.shape == (240, 240, 2)
    rows, columns = shown[..., 0], shown[..., 1]
    assert rows[0].mean() < 2 and rows[-1].mean() > 253
    assert columns[:, 0].mean() == pytest.approx(255 / 8, abs=1) and columns[:, -1].mean() == pytest.approx(
        255 * 7 / 8, abs=1
    )


def test_padding_repeats_the_border_and_stretching_shows_all():
    image = ramp(480, 640)
    padded, place = fitted(image, (320, 320), "pad"), inside(image.shape, (320, 320), "pad")
    assert place == (slice(40, 280), slice(0, 320))
    assert np.array_equal(padded[place], fitted(image, (240, 320), "stretch"))
    assert np.array_equal(padded[:40], np.repeat(padded[40:41], 40, axis=0))
    assert np.array_equal(padded[280:], np.repeat(padded[279:280], 40, axis=0))
    assert inside(image.shape, (240, 320), "pad") is None and inside(image.shape, (320, 320), "crop") is None
    assert fitted(image, (320, 320), "stretch").shape == (320, 320, 2)
    bands = np.dstack([ramp(30, 60)] * 3)
    assert fitted(bands, (40, 40), "pad").shape == (40, 40, 6)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_set_has_the_size_and_regions_follow_it(parts, tmp_path, fit):
    for path in parts.iterdir():
        mask = np.zeros((48, 64), np.uint8)
        mask[:, 32:] = 255  # the right half
        write(tmp_path / "rois" / path.name, mask)
    out = tmp_path / "set"
    pail.generate(parts, out, number=24, size=(40, 40), fit=fit, roi=tmp_path / "rois", layout="flat", workers=1)
    for line in manifest(out):
        normal = decode((parts / line["normal"]).read_bytes())
        image, mask = (decode((out / line[key]).read_bytes()) for key in ("image", "mask"))
        assert image.shape == (40, 40, 3)
        assert np.array_equal(image[mask == 0], fitted(normal, (40, 40), fit)[mask == 0])
        assert not mask[:, :19].any()
        if fit == "pad":
            assert not mask[:5].any() and not mask[-5:].any()
    assert remake(out, 3, parts).is_same


@pytest.mark.parametrize("roi", [None, "foreground"])
def test_no_anomaly_lands_on_padding(parts, tmp_path, roi):
    out = tmp_path / "set"
    pail.generate(parts, out, number=44, size=(64, 64), fit="pad", roi=roi, layout="flat", workers=1)
    masks = [decode((out / line["mask"]).read_bytes()) for line in manifest(out)]
    assert not any(mask[:8].any() or mask[-8:].any() for mask in masks)
    assert np.any([mask[8:16].any() or mask[-16:-8].any() for mask in masks])


def test_size_means_the_same_in_preview_and_tune(parts, tmp_path, monkeypatch, said):
    shown = []
    monkeypatch.setattr(
        "pail.report.preview.preview", lambda images, *a, **k: shown.append(images) or Image.new("L", (9, 9))
    )
    said("preview", parts, "--size", 24, "-o", tmp_path / "a.png")
    assert {image.shape for image in shown[0]} == {(24, 32, 3)}
    said("preview", parts, "--size", "24x24", "--fit", "pad", "-o", tmp_path / "b.png")
    assert {image.shape for image in shown[1]} == {(24, 24, 3)}
    assert 'fit = "pad"' in (tmp_path / "b.toml").read_text()
    pytest.importorskip("gradio", reason="the page needs gradio")
    from pail.app.draws import Bench
    from pail.app.settings import Entry, PageSettings

    bench = Bench(parts)
    settings = PageSettings((Entry("cutpaste"),), size=24)
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert draw.i_a.shape == (24, 32, 3)


# What is kept of files


def test_a_second_run_reads_its_sources_anew(parts, tmp_path):
    keywords = {"number": 6, "workers": 1, "techniques": "rand_augmented_cut_paste", "layout": "flat"}
    for level in (30, 220):
        write(tmp_path / "sources" / "s.png", np.full((64, 64, 3), level, np.uint8) ^ photograph(64, 64) // 8)
        pail.generate(parts, tmp_path / f"one{level}", source=tmp_path / "sources", **keywords)
        shutil.copytree(tmp_path / "sources", tmp_path / f"fresh{level}")
        pail.generate(parts, tmp_path / f"two{level}", source=tmp_path / f"fresh{level}", **keywords)
        assert images(tmp_path / f"one{level}") == images(tmp_path / f"two{level}")
    assert images(tmp_path / "one30") != images(tmp_path / "one220")


def test_relative_names_hold_where_the_process_goes_elsewhere(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("parts")
    monkeypatch.chdir(parts)
    assert store.names() and store.read("p0.png") == (parts / "p0.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    for place in ("a", "b"):
        write(tmp_path / place / "sources" / "s.png", photograph(48, 48, 50 + ord(place)))
        (tmp_path / place / "parts").symlink_to(parts)
        monkeypatch.chdir(tmp_path / place)
        pail.generate("parts", "set", source="sources", number=4, workers=1, techniques="SBI", layout="flat")
    assert images(tmp_path / "a" / "set") != images(tmp_path / "b" / "set")


# Resuming


@pytest.mark.parametrize("change", ["changed", "gone", "new", "source"])
def test_changed_files_are_not_mixed_into_a_set(parts, tmp_path, change):
    write(tmp_path / "sources" / "s.png", photograph(48, 48, 50))
    out, keywords = tmp_path / "set", {"number": 6, "workers": 1, "source": tmp_path / "sources"}
    pail.generate(parts, out, **keywords)
    before = images(out)
    if change == "changed":
        write(parts / "p1.png", photograph(48, 64, 77))
    elif change == "gone":
        (parts / "p1.png").unlink()
    elif change == "new":
        write(parts / "q.png", photograph(48, 64, 77))
    else:
        write(tmp_path / "sources" / "s.png", photograph(48, 48, 78))
    name = {"new": "q.png is new", "source": "s.png was changed"}.get(
        change, f"p1.png {change if change == 'gone' else 'was'}"
    )
    with pytest.raises(ValueError, match=name.replace("gone", "was removed")):
        pail.generate(parts, out, **keywords, resume=True)
    assert images(out) == before


def test_times_do_not_count_where_checksums_are_kept(parts, tmp_path):
    out, other = tmp_path / "set", tmp_path / "other"
    pail.generate(parts, out, number=6, workers=1, verify=True)
    pail.generate(parts, other, number=6, workers=1)
    for path in parts.iterdir():
        os.utime(path, (1, 1))
    with pytest.raises(ValueError, match=r"p0\.png was changed"):
        pail.generate(parts, other, number=6, workers=1, resume=True)
    with pytest.raises(ValueError, match="`verify`"):
        pail.generate(parts, other, number=6, workers=1, resume=True, verify=True)
    pail.generate(parts, out, number=6, workers=1, resume=True, verify=True)
    data = bytearray((parts / "p3.png").read_bytes())
    data[-20] ^= 1  # of the same size
    (parts / "p3.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"p3\.png was changed"):
        pail.generate(parts, out, number=6, workers=1, resume=True, verify=True)


def test_finished_files_that_are_missing_are_made_again(parts, tmp_path):
    out, keywords = tmp_path / "set", {"number": 70, "workers": 1, "layout": "yolo", "verify": True}
    pail.generate(parts, out, **keywords)
    before, lines = images(out), manifest(out)
    (out / lines[10]["image"]).unlink()
    (out / lines[50]["mask"]).unlink()
    (out / lines[60]["image"]).write_bytes(b"")
    pail.generate(parts, out, **keywords, resume=True)
    assert images(out) == before
    data = (out / lines[20]["image"]).read_bytes()
    (out / lines[20]["image"]).write_bytes(data[:-20] + bytes(20))  # of the same size: checksums see it
    pail.generate(parts, out, **keywords, resume=True)
    assert images(out) == before


def test_files_elsewhere_are_known_again(parts):
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.put(str(parts), "/far", recursive=True)
    keywords = {"number": 4, "workers": 1, "layout": "flat"}
    pail.generate("memory://far", "memory://out", **keywords)
    name = next(path for path in system.find("/out") if path.endswith("000002.png") and "images" in path)
    data = system.cat_file(name)
    system.rm(name)
    pail.generate("memory://far", "memory://out", **keywords, resume=True)
    assert system.cat_file(name) == data
    system.pipe_file("/far/p0.png", system.cat_file("/far/p1.png"))
    with pytest.raises(ValueError, match=r"p0\.png was changed"):
        pail.generate("memory://far", "memory://out", **keywords, resume=True)
    system.rm("/far", recursive=True)
    system.rm("/out", recursive=True)


def test_resume_and_overwrite_exclude_each_other(parts, tmp_path, said):
    out = tmp_path / "set"
    pail.generate(parts, out, number=3, workers=1)
    before = images(out)
    assert "--resume and --overwrite" in said("generate", parts, out, "-n", 3, "--resume", "--overwrite", status=2)
    assert images(out) == before


@pytest.mark.parametrize("torn", [b"", b'{"version": "0.', b"[]", b'{"version": "0.3.0"}'])
def test_a_torn_claim_is_named_and_may_be_overwritten(parts, tmp_path, torn):
    out = tmp_path / "set"
    pail.generate(parts, out, number=3, workers=1)
    (out / ".pail" / "inputs.json").write_bytes(torn)
    with pytest.raises(ValueError, match=r"inputs\.json, got a damaged one.*--overwrite"):
        pail.generate(parts, out, number=3, workers=1, resume=True)
    pail.generate(parts, out, number=3, workers=1, overwrite=True)


def test_errors_of_reading_are_not_said_to_be_errors_of_writing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(FileNotFoundError, match="mask"), store.writing("annotations.json") as file:
        file.write(b"{")
        store.read("mask.png")
    assert not list(tmp_path.iterdir())


class Full:
    """A remote file that accepts some bytes, and then raises the error of a full disk."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        self.file.write(data[:3])
        raise OSError(28, "No space left on device")


def test_urls_are_not_published_half_written(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    system, store = fsspec.filesystem("memory"), Store("memory://half")
    opened = type(system).open
    with store.writing("a.txt") as file:
        file.write(b"whole")
    monkeypatch.setattr(type(system), "open", lambda self, *a, **k: Full(opened(self, *a, **k)))
    with pytest.raises(StoppedError, match="No space"), store.writing("a.txt") as file:
        file.write(b"half of it")
    monkeypatch.setattr(type(system), "open", opened)

    def pipe(self, path, data):
        with opened(self, path, "wb") as file:
            file.write(data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(system), "pipe_file", pipe)
    with pytest.raises(StoppedError, match="No space"):
        store.write("b.txt", b"half of it")
    assert {path: system.cat_file(path) for path in system.find("/half")} == {"/half/a.txt": b"whole"}
    system.rm("/half", recursive=True)


# Known before anything is touched


def test_a_missing_encoder_is_known_at_once(parts, tmp_path, monkeypatch):
    def missing():
        raise ImportError("`coco` needs a package")

    monkeypatch.setattr("pail.dataset.run.coco_encoder", missing)
    with pytest.raises(ImportError, match="needs a package"):
        pail.generate(parts, tmp_path / "set", coco=True, workers=1)
    assert not (tmp_path / "set").exists()


def test_regions_that_match_no_image(parts, tmp_path):
    write(tmp_path / "rois" / "other.png", np.full((48, 64), 255, np.uint8))
    with pytest.raises(ValueError, match=r"`roi`.*p0\.png.*other\.png"):
        pail.generate(parts, tmp_path / "set", roi=tmp_path / "rois", workers=1)
    assert not (tmp_path / "set").exists()
    write(tmp_path / "rois" / "p0.png", np.full((48, 64), 255, np.uint8))
    write(tmp_path / "rois" / "p1.png", np.full((48, 64), 255, np.uint8))
    with pytest.warns(UserWarning, match=r"4 of 6 images have no mask.*p2\.png"):
        prepare_run(parts, tmp_path / "set", None, make_recipe(roi=tmp_path / "rois"))


def test_a_folder_with_defects_is_no_folder_of_normal_images(parts, tmp_path, said):
    root = tmp_path / "bottle"
    shutil.copytree(parts, root / "train" / "good")
    shutil.copytree(parts, root / "test" / "good")
    shutil.copytree(parts, root / "test" / "broken")
    shutil.copytree(parts, root / "ground_truth" / "broken")
    text = said("generate", tmp_path, tmp_path.parent / "elsewhere", status=2)
    assert f"pass {root}/train/good" in text
    assert f"pass {root}/train/good" in said("generate", root / "test", tmp_path / "set", status=2)
    assert not (tmp_path / "set").exists()
    said("generate", root / "train" / "good", tmp_path / "set", "-n", 2, "--workers", 1, "--layout", "flat")
    text = said("generate", root, tmp_path / "again", "-n", 2, "--workers", 1, "--layout", "flat")
    assert text.count("Warning") == 1 and "train/good is used" in text
    assert manifest(tmp_path / "again") == manifest(tmp_path / "set")
    said("generate", root, tmp_path / "mvtec", "-n", 2, "--workers", 1)
    assert "its good images" in said("generate", tmp_path / "mvtec", tmp_path / "b", "-n", 2, status=2)


@pytest.mark.parametrize("name", ["{}_label.bmp", "{}_mask.png", "{}-GT.tif"])
def test_masks_beside_images(parts, tmp_path, said, name):
    for i in range(6):
        mask = np.zeros((48, 64), np.uint8)
        mask[5 : 5 + i] = 255
        write(parts / name.format(f"p{i}"), mask)
    pattern = "*" + name.removeprefix("{}")
    text = said("generate", parts, tmp_path / "set", "-n", 4, "--workers", 1)
    assert f"6 masks ('p0{pattern[1:]}'" in text and text.count("Warning") == 1
    assert {line["normal"] for line in manifest(tmp_path / "set")} == {f"p{i}.png" for i in range(6)}
    text = said("generate", parts, tmp_path / "excluded", "-n", 4, "--workers", 1, "--exclude", pattern)
    assert "Warning" not in text and manifest(tmp_path / "excluded") == manifest(tmp_path / "set")
    for i in range(6):
        write(parts / name.format(f"p{i}"), photograph(48, 64, 90 + i))  # images that are named so
    said("generate", parts, tmp_path / "other", "-n", 4, "--workers", 1)
    assert len({line["normal"] for line in manifest(tmp_path / "other")}) == 12


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_linked_folders_are_named_or_followed(parts, tmp_path, said):
    shutil.copytree(parts, tmp_path / "more")
    (parts / "linked").symlink_to(tmp_path / "more")
    (parts / "round").symlink_to(parts)
    text = said("generate", parts, tmp_path / "set", "-n", 4, "--workers", 1)
    assert text.count("Warning") == 1 and "linked" in text and "--follow-links" in text
    text = said("generate", parts, tmp_path / "both", "-n", 4, "--workers", 1, "--follow-links")
    assert "Warning" not in text
    names = {line["normal"] for line in manifest(tmp_path / "both")}
    assert names == {f"p{i}.png" for i in range(6)} | {f"linked/p{i}.png" for i in range(6)}


def test_pages_of_a_file(tmp_path):
    (tmp_path / "parts").mkdir()
    pages = [Image.fromarray(photograph(40, 48, i)) for i in range(3)]
    pages[0].save(tmp_path / "parts" / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match=r"stack\.tif.*--pages all"):
        pail.generate(tmp_path / "parts", tmp_path / "one", number=3, workers=1, layout="flat")
    assert {line["normal"] for line in manifest(tmp_path / "one")} == {"stack.tif"}
    pail.generate(tmp_path / "parts", tmp_path / "all", number=3, workers=1, layout="flat", pages="all")
    for line in manifest(tmp_path / "all"):
        page = int(line["normal"].removeprefix("stack.tif#page=")) - 1
        image, mask = (decode((tmp_path / "all" / line[key]).read_bytes()) for key in ("image", "mask"))
        assert np.array_equal(image[mask == 0], photograph(40, 48, page)[mask == 0])
    assert remake(tmp_path / "all", 1, tmp_path / "parts").is_same


def test_more_pixels_than_allowed_are_named(parts, tmp_path):
    write(parts / "large.png", photograph(80, 80))
    summary = pail.generate(parts, tmp_path / "set", number=14, workers=1, layout="flat", max_pixels=48 * 64)
    assert [entry["file"] for entry in summary.skipped] == ["large.png"]
    assert "max_pixels" in summary.skipped[0]["reason"]


# Errors of files, and of techniques


@pytest.mark.parametrize("kind", ["TypeError", "ValueError", "KeyError"])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_technique_ends_the_run(parts, tmp_path, failing, kind, workers):
    if workers == 2 and kind != "TypeError":
        pytest.skip("one kind shows the way through processes")
    options = {"faulty": {"kind": kind}}
    with pytest.raises(InsertionError, match=f"'p.*png'.*{kind}.*unexpected thing") as raised:
        pail.generate(parts, tmp_path / "set", number=4, workers=workers, techniques=["faulty"], options=options)
    assert raised.value.__cause__ is not None


def test_the_traceback_is_shown_on_demand(parts, tmp_path, failing, said):
    options = ["generate", parts, tmp_path / "set", "-n", 4, "--techniques", "faulty", "--workers", 1, "-q"]
    short = said(*options, status=1)
    assert "unexpected thing" in short and "--debug" in short and short.count("\n") == 1
    for arguments in (["--debug", *options, "--resume"], [*options, "--resume", "--debug"]):
        text = said(*arguments, status=1)
        assert "Traceback" in text and "in faulty" in text
    assert "Traceback" in said("generate", parts, tmp_path / "b", "--severity", "2", "--debug", status=2)


def test_what_a_file_causes_is_skipped(parts, tmp_path):
    write(parts / "deep.tif", photograph(48, 64).astype(np.uint16))
    Image.fromarray(np.full((48, 64), np.nan, np.float32)).save(parts / "nan.tif")
    write(tmp_path / "sources" / "good.png", photograph(48, 48, 3))
    Image.fromarray(np.full((48, 64), np.nan, np.float32)).save(tmp_path / "sources" / "bad.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = pail.generate(
            parts, tmp_path / "set", source=tmp_path / "sources", number=24, workers=1, format="jpg", layout="flat",
            techniques="rand_augmented_cut_paste",
        )  # fmt: skip
    assert {(entry["role"], entry["file"]) for entry in summary.skipped} == {
        ("normal", "deep.tif"),
        ("normal", "nan.tif"),
        ("source", "bad.tif"),
    }
    assert summary.anomalies == 24 and {line["source"] for line in manifest(tmp_path / "set")} == {"good.png"}


def test_good_images_pass_the_same_check(parts, tmp_path):
    Image.fromarray(np.full((48, 64), 7.0, np.float32)).save(parts / "float.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = pail.generate(parts, tmp_path / "set", number=4, workers=1, test_share=0.2)
    assert [entry["file"] for entry in summary.skipped] == ["float.tif"]
    assert "float.tif" not in {line["normal"] for line in manifest(tmp_path / "set")}


# Backends


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky", "sequential"])
def test_the_configured_backend_is_used(parts, tmp_path, backend, monkeypatch):
    pail.generate(parts, tmp_path / "one", number=70, workers=1, size=24)
    used = []
    called = joblib.Parallel.__call__

    def noted(self, tasks):
        used.append((type(self._backend).__name__.lower(), self._effective_n_jobs()))
        return called(self, tasks)

    monkeypatch.setattr(joblib.Parallel, "__call__", noted)
    threads = cv2.getNumThreads()
    with joblib.parallel_config(backend, **({} if backend == "sequential" else {"n_jobs": 2})):
        pail.generate(parts, tmp_path / "two", number=70, size=24)
    assert {name for name, _ in used} == {f"{backend}backend"} and cv2.getNumThreads() == threads
    assert {jobs for _, jobs in used} == {1 if backend == "sequential" else 2}
    assert images(tmp_path / "one") == images(tmp_path / "two")


# Progress, interruption, messages


def test_the_bar_counts_images_while_a_chunk_is_at_work(parts, tmp_path, monkeypatch, capsys):
    (parts / "bad.png").write_bytes(b"")
    seen = []
    drawn = Progress._draw

    def watched(self):
        drawn(self)
        seen.append(self._drawn)

    monkeypatch.setattr(Progress, "_draw", watched)
    monkeypatch.setattr("pail.dataset.progress.SECONDS", 0.005)
    pail.generate(parts, tmp_path / "set", number=32, workers=1, layout="flat", progress=True)
    text = capsys.readouterr().err
    assert seen[-1] == 32 and len({n for n in seen if 0 < n < 32}) >= 3  # within the only chunk
    assert "32/32" in text and "images/s" in text and re.search("[1-9] skipped", text) and "chunk" not in text


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
def test_an_interrupted_run_says_how_to_go_on(parts, tmp_path):
    out = tmp_path / "a set"
    words = [sys.executable, "-m", "pail", "generate", str(parts), str(out), "-n", "20000", "--workers", "2"]
    process = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True, env=unmeasured())
    try:
        deadline = time.time() + 120
        while not list(out.rglob("0*.png")) and time.time() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # to the workers, too, as from a terminal
        start = time.time()
        error = process.communicate(timeout=60)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, error
    assert time.time() - start < 10  # a second or two where the machine has nothing else to do
    assert "Interrupted. To resume" in error and "Traceback" not in error
    assert error.rstrip().splitlines()[-1] == f"pail generate {parts} '{out}' -n 20000 --workers 2 --resume"
    assert not (out / "manifest.jsonl").exists()


@pytest.mark.parametrize("silent", [True, False])
def test_the_tracker_of_joblib_prints_nothing_below_the_command(tmp_path, silent):
    program = """if True:
        import contextlib, sys
        from joblib.externals.loky.backend import resource_tracker
        from pail.cli.generate import _silent_tracker

        with _silent_tracker() if sys.argv[1] == "True" else contextlib.nullcontext():
            resource_tracker.register(sys.argv[2], "file")  # and no such file, as after an interrupted run
    """
    words = [sys.executable, "-c", program, str(silent), str(tmp_path / "removed")]
    done = subprocess.run(words, capture_output=True, text=True, env=unmeasured(), timeout=60)
    assert done.returncode == 0
    assert ("resource_tracker" in done.stderr) != silent


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_end_with_a_run_that_was_killed(parts, tmp_path):
    """They would continue to write into the folder, even if another set is made there."""
    out = tmp_path / "set"
    words = [sys.executable, "-m", "pail", "generate", str(parts), str(out), "-n", "20000", "--workers", "2"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=unmeasured())
    deadline = time.time() + 120
    while not list(out.rglob("0*.png")) and time.time() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait(timeout=60)  # as a shell asks for the status: until then the process is there in name
    start = time.time()
    process.communicate(timeout=60)  # waits for all that hold the pipe: the workers
    assert time.time() - start < 15
    made = images(out)
    time.sleep(1)
    assert images(out) == made and 0 < len(made) < 5000


def test_the_summary_names_the_files(parts, tmp_path, said):
    text = said("generate", parts, tmp_path / "set", "-n", 4, "--workers", 1)
    for name in ("report.html", "manifest.jsonl"):
        assert str(tmp_path / "set" / name) in text.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--techniques", "cutpast"], "cutpaste"),
        (["--techniques", "sbi"], "SBI"),
        (["--recipe", 'severty = 0.5'], "severity"),
        (["--recipe", "[techniques.cutpaste]\nare_ratio = [0.1, 0.2]"], "area_ratio"),
        (["--recipe", 'layout = "mvtech"'], "mvtec"),
    ],
)  # fmt: skip
def test_close_matches_are_offered(parts, tmp_path, said, arguments, meant):
    if arguments[0] == "--recipe":
        (tmp_path / "r.toml").write_text(arguments[1])
        arguments = ["--recipe", tmp_path / "r.toml"]
    assert f"did you mean '{meant}'" in said("generate", parts, tmp_path / "set", *arguments, status=2)
    assert not (tmp_path / "set").exists()


def test_preview_overwrites_its_own_files_only(parts, tmp_path, said):
    (tmp_path / "recipe.toml").write_text("seed = 1\n")
    Image.fromarray(photograph(20, 20)).save(tmp_path / "photo.png")
    (tmp_path / "page.html").write_text("<html>mine</html>")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    options = ["preview", parts, "--techniques", "cutpaste", "-o"]
    for name in ("recipe.png", "photo.png"):
        assert "--output" in said(*options, tmp_path / name, status=2)
    assert "--output" in said(*options, tmp_path / "page.html", "--html", status=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    for name, more in (("x.toml", []), ("x.bmp", []), ("x", []), ("x.png", ["--html"]), ("x.toml", ["--html"])):
        assert "--output must end in" in said(*options, tmp_path / name, *more, status=2)
        assert not list(tmp_path.glob("x*"))
    for name, more in (("own.png", []), ("own.JPG", []), ("own.webp", []), ("web.HTM", ["--html"])):
        for seed in (1, 2):
            said(*options, tmp_path / name, *more, "--seed", seed)
    assert "seed = 2" in (tmp_path / "own.toml").read_text()


def test_a_dry_run_ends_as_the_run_would(parts, tmp_path, said):
    out = tmp_path / "set"
    words = ["generate", parts, out, "-n", 4, "--workers", 1]
    said(*words)
    before = images(out)
    for more, status in (([], 2), (["--resume"], 0), (["--resume", "--seed", 1], 2), (["--overwrite"], 0)):
        text = said(*words, *more, "--dry-run", status=status)
        assert ("OUT must" in text) == bool(status) and images(out) == before
    assert "--resume and --overwrite" in said(*words, "--resume", "--overwrite", "--dry-run", status=2)


def test_options_are_named_as_on_the_command_line(parts, tmp_path, said):
    for words, name in ((["--techniques", "cutpaste=-1"], "--techniques"), (["--data-range", "0,inf"], "--data-range")):
        text = said("generate", parts, tmp_path / "set", *words, status=2)
        assert text.startswith(f"Error: {name} must be") and "`" not in text


@pytest.mark.parametrize("workers", [1, 2])
def test_warnings_of_workers_are_said_once_or_not_at_all(tmp_path, workers):
    """In a separate process, because the standard error of workers is not that of the test."""
    for i in range(4):
        write(tmp_path / "parts" / f"{i}.png", photograph(40, 48, i)[..., 0].astype(np.uint16) + 50_000)
        write(tmp_path / "rois" / f"{i}.png", photograph(40, 48, i)[..., 0])
    words = [sys.executable, "-m", "pail", "generate", "parts", "set", "--layout", "flat", "-n", "70", "--roi", "rois"]
    words += ["--techniques", "cutpaste", "--workers", str(workers)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert sum("less than a twentieth; --data-range 50" in line for line in warned) == 1, done.stderr
    for i in range(4):
        assert sum(f"{i}.png may not be a mask" in line for line in warned) == 1, done.stderr
    assert "joblib" not in done.stderr
    quiet = subprocess.run([*words, "--overwrite", "-q"], cwd=tmp_path, capture_output=True, text=True)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


# Replaying


def test_replay_compares_bytes_and_names_versions(parts, tmp_path, said, monkeypatch):
    out = tmp_path / "set"
    pail.generate(parts, out, number=4, workers=1, layout="flat")
    assert not any("stack" in line["record"] for line in manifest(out))
    description = json.loads((out / "dataset.json").read_text())
    assert {"numpy", "opencv", "pillow", "scikit-image"} <= set(description["stack"])
    description["stack"]["pillow"] = "1.0"
    (out / "dataset.json").write_text(json.dumps(description))
    assert "the same bytes" in said("replay", out, 1, "--images", parts)
    path = out / manifest(out)[1]["mask"]
    path.write_bytes(cv2.imencode(".png", decode(path.read_bytes()), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())
    text = said("replay", out, 1, "--images", parts, status=1)
    assert "the mask has the same pixels in other bytes" in text and "pillow 1.0 then" in text and "numpy" not in text
    write(parts / manifest(out)[1]["normal"], photograph(48, 64, 99))
    assert "the image has other pixels" in said("replay", out, 1, "--images", parts, status=1)


@pytest.mark.parametrize("description", [None, "{}", "torn", '{"version": "0.2.0", "stack": {}}'])
def test_sets_that_cannot_be_replayed_are_named(parts, tmp_path, said, description):
    out = tmp_path / "set"
    pail.generate(parts, out, number=2, workers=1, layout="flat")
    path = out / "dataset.json"
    path.unlink() if description is None else path.write_text(description)
    text = said("replay", out, 1, "--images", parts, status=2)
    assert "DATASET must be" in text and text.count("\n") == 1


# The range of values


def thermal(seed, low=51_200, high=52_028):
    image = photograph(48, 64, seed)[..., 0].astype(np.float64)
    return (low + (high - low) * (image - image.min()) / np.ptp(image)).astype(np.uint16)


def picture(pixels, alpha=False):
    return Picture(pixels, alpha, 1, "png")


def test_the_window_is_the_quantiles_of_the_folder(tmp_path):
    arrays = {f"{i:03}": picture(thermal(i)) for i in range(250)}
    read = []
    found = values_in_use(sorted(arrays), lambda name: read.append(name) or arrays[name])
    assert len(read) == len(set(read)) == found.images == 100 and read[0] == "000" and read[-1] > "245"
    values = np.concatenate([arrays[name].pixels.ravel() for name in read])
    assert (found.low, found.high) == tuple(np.quantile(values, (0.001, 0.999), method="nearest"))
    assert values_in_use(["a"], lambda _: picture(photograph(50, 50).astype(np.float32) / 255)).high <= 1
    nan = {"a": np.full((9, 9), np.nan, np.float32), "b": np.linspace(0, 1, 81, dtype=np.float32).reshape(9, 9)}
    nan = {name: picture(pixels) for name, pixels in nan.items()}
    assert values_in_use(["a", "b"], nan.get).images == 1
    one = {"a": picture(np.zeros((9, 9), np.uint8))}
    for arrays in ({"a": picture(thermal(1)), "b": picture(photograph(9, 9))}, one, {"a": nan["a"]}):
        with pytest.raises(ValueError, match="`data_range` must be given as numbers"):
            values_in_use(sorted(arrays), arrays.get)


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_is_no_value_in_use(channels, tmp_path):
    """Of four channels it is always known, of two the file says so, and an option may say otherwise."""
    colors = photograph(50, 50)[..., :channels] // 2
    plain = values_in_use(["a"], lambda _: picture(colors))
    clear = np.dstack([colors, np.full((50, 50), 255, np.uint8)])
    for alpha in (None, True):
        assert values_in_use(["a"], lambda _: picture(clear, alpha=True), alpha=alpha)[:2] == plain[:2]
    assert values_in_use(["a"], lambda _: picture(clear, alpha=True), alpha=False).high == 255 > plain.high
    if channels == 1:
        assert values_in_use(["a"], lambda _: picture(clear, alpha=False)).high == 255  # two bands
    (tmp_path / "parts").mkdir()
    Image.fromarray(clear).save(tmp_path / "parts" / "a.png")
    made = pail.generate(tmp_path / "parts", tmp_path / "set", number=1, layout="flat", data_range="auto", workers=1)
    assert made.data_range == plain[:2]


def test_a_set_with_a_window(tmp_path, said):
    for i in range(6):
        write(tmp_path / "parts" / f"{i}.png", thermal(i))
    out = tmp_path / "set"
    options = [
        "generate",
        tmp_path / "parts",
        out,
        "-n",
        12,
        "--data-range",
        "auto",
        "--layout",
        "flat",
        "--workers",
        1,
    ]
    text = said(*options)
    low, high = json.loads((out / "dataset.json").read_text())["recipe"]["data_range"]
    assert 51_200 <= low < 51_300 and 51_900 < high <= 52_028 and f"{low:g} to {high:g}" in text
    assert f"data_range = [\n    {low},\n    {high},\n]" in (out / "recipe.toml").read_text()
    for line in manifest(out):
        image, mask = (decode((out / line[key]).read_bytes()) for key in ("image", "mask"))
        normal = decode((tmp_path / "parts" / line["normal"]).read_bytes())
        assert np.array_equal(image[mask == 0], normal[mask == 0])
        assert image[mask > 0].min() >= low and image[mask > 0].max() <= high
    said(*options, "--resume", "-q")
    assert remake(out, 3, tmp_path / "parts").is_same
    again = tmp_path / "again"
    pail.generate(tmp_path / "parts", again, recipe=out / "recipe.toml", workers=1)
    assert images(out) == images(again)


@pytest.mark.parametrize("value", ["all", "1,2,3", "5,5", "9,4"])
def test_wrong_windows_are_one_line(parts, tmp_path, said, value):
    text = said("generate", parts, tmp_path / "set", "--data-range", value, status=2)
    assert "--data-range" in text and text.count("\n") == 1
