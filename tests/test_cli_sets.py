"""The command line: help, exit statuses, and that the options reach the set."""

import json
import os
import subprocess
import sys

import cv2
import pytest
from common import photograph

import pail

COMMANDS = ("preview", "generate", "techniques", "replay")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts of mine")
    for i in range(6):
        cv2.imwrite(str(folder / f"p{i}.png"), photograph(48, 56, i))
    return folder


def pail_command(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pail", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1", **environment},
    )


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_version():
    done = pail_command("--version")
    assert done.returncode == 0 and pail.__version__ in done.stdout


def test_defaults_need_two_folders(parts, tmp_path):
    done = pail_command("generate", parts, tmp_path / "set", "--workers", 1)
    assert done.returncode == 0, done.stderr
    lines = manifest(tmp_path / "set")
    assert sum(line["label"] == 0 for line in lines) == 6 and sum(line["label"] for line in lines) > 0
    assert str(sum(line["label"] for line in lines)) in done.stdout


def test_quiet_is_quiet(parts, tmp_path):
    done = pail_command("generate", parts, tmp_path / "set", "-n", 2, "-q", "--workers", 1)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_options_reach_the_set(parts, tmp_path):
    out = tmp_path / "set"
    done = pail_command(
        "generate", parts, out, "-n", 9, "--techniques", "cutpaste=3,fract_aug", "--severity", "0.5,1", "--anomalies",
        "2,3", "--size", "32x40", "--seed", 5, "--layout", "flat", "--format", "tiff", "--roi", "foreground", "-q",
        "--workers", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = manifest(out)
    assert len(lines) == 9
    for line in lines:
        assert line["image"].startswith("images/") and line["image"].endswith(".tiff")
        assert set(line["techniques"]) <= {"cutpaste", "fract_aug"} and 2 <= len(line["techniques"]) <= 3
        assert (line["height"], line["width"]) == (32, 40)
    same = pail.generate(parts, tmp_path / "again", recipe=out / "recipe.toml", workers=1)
    assert manifest(tmp_path / "again") == lines and same.anomalies == 9


def test_wrong_folders(tmp_path):
    done = pail_command("generate", tmp_path / "nothing", tmp_path / "set")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert not (tmp_path / "set").exists()


def test_exit_statuses(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_text("text")
    done = pail_command("generate", tmp_path / "in", tmp_path / "none", "--workers", 1)
    assert done.returncode == 1 and "bad.png" in done.stderr
    cv2.imwrite(str(tmp_path / "in" / "good.png"), photograph(40, 40))
    cv2.imwrite(str(tmp_path / "in" / "other.png"), photograph(40, 40, 1))
    done = pail_command("generate", tmp_path / "in", tmp_path / "some", "--layout", "flat", "--workers", 1)
    assert done.returncode == 3 and "bad.png" in done.stderr


def test_a_validation_set_comes_with_a_warning(parts, tmp_path):
    done = pail_command("generate", parts, tmp_path / "set", "--for", "validation", "--workers", 1)
    assert done.returncode == 0 and "real defects" in done.stderr
    assert not (tmp_path / "set" / "train").exists()


def test_replay_makes_the_same_bytes(parts, tmp_path):
    out = tmp_path / "set"
    pail.generate(parts, out, number=4, workers=1)
    index = next(line["index"] for line in manifest(out) if line["label"])
    image = out / manifest(out)[index]["image"]
    done = pail_command("replay", out, index, "--images", parts, "-o", tmp_path / "again.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.png").read_bytes() == image.read_bytes()
    image.write_bytes(image.read_bytes()[:-1])
    assert pail_command("replay", out, index, "--images", parts).returncode == 1
    assert pail_command("replay", out, 999, "--images", parts).returncode == 2
