"""Data sets on disk: layouts, formats, byte identity, hostile files, ends at any moment."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import joblib
import numpy as np
import pytest
from commands import pail_command, unmeasured
from common import as_type, photograph
from optional import need
from PIL import Image

import pail
from pail import pai
from pail.dataset import make
from pail.dataset import recipe as recipes
from pail.dataset.inputs import read_image
from pail.dataset.replay import remake
from pail.io.read import decode

COUNT = 70  # anomalies: several chunks


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for i in range(10):
        (folder / f"line{i % 2}").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"line{i % 2}" / f"p{i:02}.png"), photograph(64, 72, i)[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    for i in range(3):
        cv2.imwrite(str(folder / f"s{i}.jpg"), photograph(80, 60, 20 + i))
    return folder


@pytest.fixture(scope="module")
def whole(parts, sources, tmp_path_factory):
    """An undisturbed set of one process, to compare with."""
    out = tmp_path_factory.mktemp("whole") / "set"
    summary = pail.generate(parts, out, source=sources, number=COUNT, seed=3, workers=1)
    assert (summary.good, summary.anomalies, summary.status) == (10, COUNT, 0)
    return out


def test_a_file_is_read_once_for_all_anomalies_unless_there_is_no_room(parts, sources, whole, tmp_path, monkeypatch):
    read = []

    def counted(store, name, recipe):
        read.append(f"{store.url}/{name}")
        return read_image(store, name, recipe)

    monkeypatch.setattr(make, "read_image", counted)
    pail.generate(parts, tmp_path / "once", source=sources, number=COUNT, seed=3, workers=1)
    assert sorted(read) == sorted(set(read))
    same(whole, tmp_path / "once")
    read.clear()
    for cache in (make.NORMALS, make.SOURCES):
        monkeypatch.setattr(cache, "_limit", 0)
    pail.generate(parts, tmp_path / "again", source=sources, number=COUNT, seed=3, workers=1)
    assert len(read) > COUNT
    same(whole, tmp_path / "again")


def files(folder):
    """All that can be seen in a set, by name."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith("."):
            found[name] = path.read_bytes()
    return found


def same(one, other, *, but=()):
    one, other = (
        {name: data for name, data in files(f).items() if name not in ("dataset.json", "report.html", *but)}
        for f in (one, other)
    )
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


def manifest(folder):
    return [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text().splitlines()]


# Layouts


def test_mvtec_layout(whole, parts):
    lines = manifest(whole)
    assert [line["index"] for line in lines] == list(range(10 + COUNT))
    assert {p.name for p in whole.iterdir()} == {
        ".pail", "train", "test", "ground_truth", "manifest.jsonl", "skipped.jsonl", "dataset.json", "recipe.toml",
        "report.html",
    }  # fmt: skip
    train = {line["normal"] for line in lines if line["split"] == "train"}
    test = {line["normal"] for line in lines if line["split"] == "test"}
    assert train and test and not train & test and len(train | test) == 10
    assert all(line["split"] == "test" for line in lines if line["label"])
    for line in lines:
        image = cv2.imread(str(whole / line["image"]), cv2.IMREAD_UNCHANGED)
        normal = cv2.imread(str(parts / line["normal"]), cv2.IMREAD_UNCHANGED)
        if line["label"] == 0:
            assert np.array_equal(image, normal)
            continue
        mask = cv2.imread(str(whole / line["mask"]), cv2.IMREAD_UNCHANGED)
        kind = line["techniques"][0]
        assert line["image"] == f"test/{kind}/{line['index'] - 10:06}.png"
        assert line["mask"] == f"ground_truth/{kind}/{line['index'] - 10:06}_mask.png"
        assert mask.dtype == np.uint8 and mask.ndim == 2 and set(np.unique(mask)) <= {0, 255} and mask.any()
        assert np.array_equal(image[mask == 0], normal[mask == 0])
        assert list(cv2.boundingRect(mask)) == line["bbox"]
        assert line["area"] == pytest.approx((mask > 0).mean(), abs=1e-5) and 0 < line["visible"] <= 1


def test_an_item_is_a_call_with_seed_and_number(whole, parts, sources):
    for line in manifest(whole)[10:30]:
        normal = decode((parts / line["normal"]).read_bytes())
        source = decode((sources / line["source"]).read_bytes())
        i_a, m_a = pai.Anomaly_Insertion().insert(normal, source, rng=(3, line["index"] - 10))
        assert np.array_equal(decode((whole / line["image"]).read_bytes()), i_a)
        assert np.array_equal(decode((whole / line["mask"]).read_bytes()), m_a[..., 0])
        again = pail.replay(line["record"], normal, source)
        assert np.array_equal(again.i_a, i_a)


def test_flat_layout(parts, tmp_path):
    pail.generate(parts, tmp_path / "set", per_image=2, layout="flat", workers=1, anomalies=(2, 3), techniques="SFI")
    lines = manifest(tmp_path / "set")
    assert len(lines) == 20 and all(len(line["techniques"]) in (2, 3) for line in lines)
    names = sorted(p.name for p in (tmp_path / "set" / "images").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "set" / "masks").iterdir()) and len(names) == 20


@pytest.mark.filterwarnings("default")  # its own are not ours to mend
def test_anomalibs_data_module_reads_it(whole):
    pytest.importorskip("anomalib", reason="anomalib is optional: pip install anomalib")
    from anomalib.data import MVTecAD

    shutil.copytree(whole, whole.parent / "root" / "part")
    module = MVTecAD(root=whole.parent / "root", category="part")
    module.setup()
    assert len(module.test_data) == 3 + COUNT


# Formats


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_formats_in_and_depth_kept(suffix, channels, tmp_path):
    deep = suffix in ("png", "tif")
    image = as_type(photograph(50, 60), "uint16" if deep else "uint8")
    image = image if channels == 3 else image[..., 0]
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / f"a.{suffix}"), image)
    summary = pail.generate(tmp_path / "in", tmp_path / "set", number=3, workers=1, test_share=1)
    assert (summary.anomalies, summary.status) == (3, 0)
    for line in manifest(tmp_path / "set"):
        written = cv2.imread(str(tmp_path / "set" / line["image"]), cv2.IMREAD_UNCHANGED)
        assert written.dtype == image.dtype and written.ndim == image.ndim


def test_alpha_is_kept_and_exif_rotation_honored(tmp_path):
    (tmp_path / "in").mkdir()
    image = Image.fromarray(np.dstack([photograph(40, 60), np.arange(2400).reshape(40, 60) % 200]).astype(np.uint8))
    image.save(tmp_path / "in" / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photograph(40, 60)).save(tmp_path / "in" / "b.jpg", exif=exif, quality=95)
    pail.generate(tmp_path / "in", tmp_path / "set", number=4, workers=1, test_share=1)
    for line in manifest(tmp_path / "set"):
        written = decode((tmp_path / "set" / line["image"]).read_bytes())
        if line["normal"] == "a.png":
            assert np.array_equal(written[..., 3], np.asarray(image)[..., 3])
        else:
            assert written.shape == (60, 40, 3)
    rotated = decode((tmp_path / "in" / "b.jpg").read_bytes())
    assert np.abs(rotated.astype(int) - np.rot90(photograph(40, 60), 3)).mean() < 12


def test_the_size_of_the_output(parts, tmp_path):
    pail.generate(parts, tmp_path / "set", number=3, workers=1, size=(32, 48))
    for line in manifest(tmp_path / "set"):
        assert (line["height"], line["width"]) == (32, 48)
        assert decode((tmp_path / "set" / line["image"]).read_bytes()).shape[:2] == (32, 48)


def test_a_folder_of_masks_as_region(parts, tmp_path):
    for path in parts.rglob("*.png"):
        target = tmp_path / "rois" / path.relative_to(parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        roi = np.zeros((64, 72), np.uint8)
        roi[10:40, 20:60] = 255
        cv2.imwrite(str(target), roi)
    out = tmp_path / "set"
    pail.generate(parts, out, number=20, workers=1, roi=tmp_path / "rois", anomalies=2)
    for line in manifest(out)[10:]:
        mask = decode((out / line["mask"]).read_bytes())
        assert not mask[:10].any() and not mask[40:].any() and not mask[:, :20].any() and not mask[:, 60:].any()
        assert line["record"]["arguments"]["roi"] == "file"
    assert remake(out, 15, parts)[1]


# The same bytes


def test_two_processes_make_the_same_bytes(whole, parts, sources, tmp_path):
    pail.generate(parts, tmp_path / "set", source=sources, number=COUNT, seed=3, workers=2)
    same(whole, tmp_path / "set")
    assert (tmp_path / "set" / "report.html").exists()


def test_two_shards_add_up_to_the_set(whole, parts, sources, tmp_path):
    merged = tmp_path / "merged"
    lines = b""
    for shard in ("1/2", (2, 2)):
        out = tmp_path / str(shard).replace("/", "of")
        pail.generate(parts, out, source=sources, number=COUNT, seed=3, workers=1, shard=shard)
        lines += (out / "manifest.jsonl").read_bytes()
        shutil.copytree(out, merged, dirs_exist_ok=True)
    (merged / "manifest.jsonl").write_bytes(lines)
    same(whole, merged)


@pytest.mark.cluster
@pytest.mark.slow
def test_a_dask_cluster_makes_the_same_bytes(whole, parts, sources, tmp_path):
    need("distributed")
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        pail.generate(parts, tmp_path / "set", source=sources, number=COUNT, seed=3)
    same(whole, tmp_path / "set")


def test_urls_of_fsspec(parts, sources, tmp_path, whole):
    fsspec = pytest.importorskip("fsspec")
    pail.generate(parts.as_uri(), "memory://set", source=sources.as_uri(), number=COUNT, seed=3, workers=1)
    system = fsspec.filesystem("memory")
    system.get("/set/", str(tmp_path / "set") + "/", recursive=True)
    same(whole, tmp_path / "set")
    with pytest.raises(ValueError, match="`out`"):
        pail.generate(parts, "memory://set", number=COUNT, workers=1)
    system.rm("/set", recursive=True)


def test_replay_of_single_images(whole, parts, sources):
    for index in (0, 7, 12, 45, 79):
        made = remake(whole, index, parts, sources)
        assert made.is_same and made.image and not made.reason
    with pytest.raises(ValueError, match="`index`"):
        remake(whole, 80, parts, sources)
    with pytest.raises(ValueError, match="`source`"):
        remake(whole, 12, parts)


# Never half a set


def command(parts, sources, out, *more):
    return [
        sys.executable, "-m", "pail", "generate", str(parts), str(out), "--source", str(sources), "-n", str(COUNT),
        "--seed", "3", "--workers", "2", "-q", *more,
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_run_is_resumed_to_the_same_bytes(whole, parts, sources, tmp_path):
    out, rng = tmp_path / "set", random.Random(0)
    for attempt in range(4):
        process = subprocess.Popen(
            command(parts, sources, out, *(["--resume"] if attempt else [])), start_new_session=True, env=unmeasured()
        )
        time.sleep(rng.uniform(0.6, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for name, data in files(out).items() if out.exists() else ():
            if name.endswith(".png") and not Path(name).name.startswith("."):
                decode(data)  # what has its name is whole
        if (out / "manifest.jsonl").exists():
            assert all((out / line["image"]).exists() for line in manifest(out))
    subprocess.run(command(parts, sources, out, "--resume"), check=True)
    same(whole, out)
    assert not list(out.rglob("*.part"))
    subprocess.run(command(parts, sources, out, "--resume"), check=True)  # a finished set, too
    same(whole, out)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="RLIMIT_FSIZE")
def test_a_full_disk_stops_and_is_resumed(parts, sources, tmp_path, whole):
    import resource  # which Windows lacks

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    out = tmp_path / "set"
    stopped = subprocess.run(
        command(parts, sources, out), preexec_fn=limit, capture_output=True, text=True, env=unmeasured()
    )
    assert stopped.returncode == 1
    assert "cannot be written" in stopped.stderr and "--resume" in stopped.stderr and "Traceback" not in stopped.stderr
    assert not (out / "manifest.jsonl").exists() and not list(out.rglob("*.part"))
    subprocess.run(command(parts, sources, out, "--resume"), check=True)
    same(whole, out)


def test_hostile_files_are_skipped_and_named(parts, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "set"
    shutil.copytree(parts, folder)
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no image\n" * 50)
    good = sorted(folder.rglob("p0*.png"))[0].read_bytes()
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    jpg = cv2.imencode(".jpg", photograph(64, 64))[1].tobytes()
    (folder / "cut.jpg").write_bytes(jpg[: len(jpg) // 2])
    (folder / "a\nb.png").write_bytes(good)
    (folder / "..png").write_bytes(b"x")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "again").symlink_to(folder)
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (folder / "bomb.png").write_bytes(bomb + b"\x00\x00\x00\x00IEND\xaeB`\x82")
    with pytest.warns(UserWarning, match="1 linked folder .*again.*follow-links"):
        summary = pail.generate(folder, out, number=40, workers=1, test_share=0.5)
    skipped = [json.loads(line) for line in (out / "skipped.jsonl").read_text().splitlines()]
    assert {entry["file"] for entry in skipped} == {
        "empty.png",
        "text.png",
        "cut.png",
        "cut.jpg",
        "loop.png",
        "bomb.png",
    }
    assert all(entry["reason"] and entry["role"] == "normal" for entry in skipped)
    assert summary.status == 3 and summary.anomalies == 40 and summary.good == 11
    assert "a\nb.png" in {line["normal"] for line in manifest(out)}
    assert json.loads((out / "dataset.json").read_text())["counts"]["skipped"] == 6
    assert pail_command("generate", folder, tmp_path / "b", "-n", 3, "-q", "--workers", 1).returncode == 3
    for name in ("text.png", "empty.png"):
        (tmp_path / "bad").mkdir(exist_ok=True)
        shutil.copy(folder / name, tmp_path / "bad")
    assert pail_command("generate", tmp_path / "bad", tmp_path / "c", "-q", "--workers", 1).returncode == 1


def test_a_folder_that_is_not_ours_is_left_alone(parts, tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    (out / "letter.txt").write_text("mine")
    for keywords in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(ValueError, match="`out`"):
            pail.generate(parts, out, number=2, workers=1, **keywords)
        assert [path.name for path in out.iterdir()] == ["letter.txt"]
    with pytest.raises(ValueError, match="`out`"):
        pail.generate(parts, parts / "inside", number=2, workers=1)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="`out`"):
        pail.generate(parts, tmp_path / "file", number=2, workers=1)


def test_another_recipe_is_not_resumed_but_may_overwrite(parts, tmp_path):
    out = tmp_path / "set"
    pail.generate(parts, out, number=3, workers=1)
    before = files(out)
    for keywords in ({}, {"resume": True, "seed": 1}, {"resume": True, "number": 4}):
        with pytest.raises(ValueError, match="`out`"):
            pail.generate(parts, out, **{"number": 3, "workers": 1, **keywords})
    assert files(out) == before
    pail.generate(parts, out, number=2, workers=1, layout="flat", overwrite=True)
    assert len(manifest(out)) == 2 and not (out / "test").exists()


@pytest.mark.slow
def test_a_second_run_into_one_folder_is_refused(parts, sources, tmp_path):
    out = tmp_path / "set"
    first = subprocess.Popen(command(parts, sources, out, "-n", "3000"), start_new_session=True, env=unmeasured())
    try:
        while not (out / ".pail" / "inputs.json").exists():
            time.sleep(0.02)
        second = subprocess.run(command(parts, sources, out, "-n", "3000", "--resume"), capture_output=True, text=True)
        assert second.returncode == 2 and "in use" in second.stderr
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


def test_options_are_checked_before_anything_is_touched(parts, tmp_path):
    out = tmp_path / "set"
    for keywords, words in (
        ({"techniques": ["paint"]}, "techniques"),
        ({"severity": 2}, "severity"),
        ({"layout": "voc"}, "layout"),
        ({"options": {"cutpaste": {"area_ratio": [3, 4]}}}, "area_ratio"),
        ({"number": 0}, "number"),
        ({"number": 2, "per_image": 2}, "per_image"),
        ({"shard": "3/2"}, "shard"),
        ({"workers": 0}, "workers"),
        ({"color": 3}, "color"),
        ({"roi": tmp_path / "nothing"}, "roi"),
        ({"source": tmp_path / "nothing"}, "source"),
        ({"compression": 11}, "compression"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            pail.generate(parts, out, **keywords)
        assert not out.exists() or not files(out)
    with pytest.raises(ValueError, match="`normals`"):
        pail.generate(tmp_path / "nothing", out)


# Recipes


def test_a_recipe_is_its_file(tmp_path):
    recipe = recipes.make_recipe(
        number=50,
        techniques=["SBI", "cutpaste"],
        weights=[2, 1],
        options={"cutpaste": {"area_ratio": (0.02, 0.15)}},
        severity=(0.2, 0.9),
        anomalies=(1, 3),
        size=(128, 160),
        roi="foreground",
    )
    path = tmp_path / "recipe.toml"
    path.write_text(recipes.to_toml(recipe))
    assert recipes.make_recipe(**recipes.load_options(path)) == recipe
    assert recipe.options["cutpaste"] == {"area_ratio": [0.02, 0.15]}
    assert sum(recipe.weights) == pytest.approx(1)


def test_a_recipe_by_hand_and_its_set(parts, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        'number = 12\nseverity = [0.5, 1.0]\nlayout = "flat"\n\n'
        "[techniques.cutpaste]\nweight = 3\narea_ratio = [0.02, 0.15]\n\n[techniques.fract_aug]\n"
    )
    summary = pail.generate(parts, tmp_path / "one", recipe=path, seed=9, workers=1)
    assert set(summary.techniques) <= {"cutpaste", "fract_aug"} and summary.anomalies == 12
    areas = [line["area"] for line in manifest(tmp_path / "one") if line["techniques"] == ["cutpaste"]]
    assert max(areas) < 0.16
    pail.generate(parts, tmp_path / "two", recipe=tmp_path / "one" / "recipe.toml", workers=1)
    same(tmp_path / "one", tmp_path / "two")
    for text in ("number = ", "color = 3", "[techniques.paint]\n", "[techniques.cutpaste]\ncolor = 3\n"):
        path.write_text(text)
        with pytest.raises((TypeError, ValueError)):
            pail.generate(parts, tmp_path / "three", recipe=path, workers=1)


def test_a_technique_of_the_users_own_reaches_the_workers(parts, tmp_path):
    def spot(frame, draw, *, level=1.0):
        box = pail.place(frame, draw, 6, 6)
        return pail.Insertion(box, np.full((6, 6, frame.channels), level * frame.max_value, np.float32))

    pail.register("spot", spot)
    try:
        pail.generate(parts, tmp_path / "set", number=40, techniques=["spot"], workers=2)
    finally:
        pail.unregister("spot")
    assert {line["techniques"][0] for line in manifest(tmp_path / "set") if line["label"]} == {"spot"}
