"""Data sets among hostile names and folders: nothing of the user's is touched, no run spoils another."""

import json
import os
import subprocess
import sys
import time

import cv2
import pytest
from commands import pail_command
from common import photograph
from PIL import Image

import pail
from pail.dataset.run import locked
from pail.dataset.store import Store


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(6):
        cv2.imwrite(str(folder / f"p{i}.png"), photograph(48, 48, i))
    return folder


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_is_no_text(parts, tmp_path):
    (parts / "p0.png").rename(os.fsdecode(os.fsencode(parts) + b"/\xff\xfe.png"))
    out = tmp_path / "set"
    assert pail.generate(parts, out, number=12, workers=1).status == 0
    assert "\udcff\udcfe.png" in {line["normal"] for line in manifest(out)}
    (parts / "p1.png").write_bytes(b"")
    done = pail_command("generate", parts, tmp_path / "b", "-n", 3, "--workers", 1)
    assert done.returncode == 3, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_is_skipped_and_not_waited_for(parts, tmp_path):
    os.mkfifo(parts / "pipe.png")
    out = tmp_path / "set"
    command = [sys.executable, "-m", "pail", "generate", parts, out, "-q", "--workers", "1"]
    assert subprocess.run(command, timeout=60).returncode == 3
    skipped = [json.loads(line) for line in (out / "skipped.jsonl").read_text().splitlines()]
    assert [entry["file"] for entry in skipped] == ["pipe.png"] and "regular" in skipped[0]["reason"]


def test_what_is_read_is_never_overwritten(parts, tmp_path):
    out = tmp_path / "set"
    pail.generate(parts, out, number=4, workers=1)
    before = contents(out)
    for inside in (out / "train" / "good", out):
        with pytest.raises(ValueError, match="`out`"):
            pail.generate(inside, out, number=4, workers=1, overwrite=True)
        with pytest.raises(ValueError, match="`out`"):
            pail.generate(parts, out, source=inside, number=4, workers=1, overwrite=True)
        with pytest.raises(ValueError, match="`out`"):
            pail.generate(parts, out, roi=inside, number=4, workers=1, overwrite=True)
    assert contents(out) == before


def test_files_of_others_stay(parts, tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    (out / ".film.part").write_text("mine")
    for keywords in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(ValueError, match="`out`"):
            pail.generate(parts, out, number=2, workers=1, **keywords)
        assert contents(out) == {".film.part": b"mine"}


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_nothing_is_written_through_a_link(parts, tmp_path):
    out, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "test").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="`out`"):
        pail.generate(parts, out, number=2, workers=1)
    assert not list(elsewhere.iterdir())


def test_a_refused_run_leaves_the_files_of_the_running_one(parts, tmp_path):
    out = tmp_path / "set"
    pail.generate(parts, out, number=2, workers=1)
    busy = out / "test" / f".000000.png.{'0' * 32}.part"
    busy.write_bytes(b"being written")
    with locked(Store(out)), pytest.raises(ValueError, match="in use"):
        pail.generate(parts, out, number=2, workers=1, resume=True)
    assert busy.exists()
    pail.generate(parts, out, number=2, workers=1, resume=True)
    assert not busy.exists()


def test_a_claim_that_was_not_finished_is_no_obstacle(parts, tmp_path):
    out = tmp_path / "set"
    (out / ".pail").mkdir(parents=True)
    (out / ".pail" / f".inputs.json.{'0' * 32}.part").write_bytes(b"{")
    pail.generate(parts, out, number=2, workers=1, resume=True)
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize("steps", (1, 4, 8, 9, 10, 15))
def test_overwriting_may_end_anywhere(parts, tmp_path, monkeypatch, steps):
    """At each name that is removed: the old set can be resumed, the new one started over, no name is a lie."""
    out = tmp_path / "set"
    pail.generate(parts, out, number=4, workers=1)
    before = contents(out)
    remove, left = Store.remove, [steps]

    def remove_some(self, names):
        for name in names:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            remove(self, [name])

    monkeypatch.setattr(Store, "remove", remove_some)
    try:
        pail.generate(parts, out, number=3, seed=1, workers=1, overwrite=True)
    except KeyboardInterrupt:
        monkeypatch.undo()
        if (out / "manifest.jsonl").exists():
            assert all((out / line["image"]).exists() for line in manifest(out))
        pail.generate(parts, out, number=4, workers=1, resume=True)
        assert contents(out) == before
    else:
        assert len(manifest(out)) == 9


def test_nothing_is_printed_unless_asked(parts, tmp_path, capfd):
    pail.generate(parts, tmp_path / "set", number=2, workers=1)
    assert capfd.readouterr() == ("", "")


def test_a_set_does_not_depend_on_dates_and_folders(parts, tmp_path):
    pail.generate(parts, tmp_path / "one", number=4, workers=1)
    time.sleep(1.1)
    moved = parts.rename(tmp_path / "moved")
    pail.generate(moved, tmp_path / "other" / "two", number=4, workers=1)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "other" / "two")
    own = ("dataset.json", "report.html")  # these say what was called
    assert {k: v for k, v in one.items() if k not in own} == {k: v for k, v in two.items() if k not in own}


def test_a_thumbnail_does_not_hide_a_cut(parts, tmp_path):
    """The end marker of a thumbnail is none of the image's."""
    thumbnail = cv2.imencode(".jpg", photograph(24, 24))[1].tobytes()
    path = parts / "cut.jpg"
    Image.fromarray(photograph(64, 64)).save(path, comment=thumbnail)
    path.write_bytes(path.read_bytes()[:-700])
    summary = pail.generate(parts, tmp_path / "set", number=2, workers=1)
    assert [entry["file"] for entry in summary.skipped] == ["cut.jpg"]
