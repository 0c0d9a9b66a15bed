"""examples/real_defects.py as a process: without a folder, and on different kinds of folders."""

import subprocess
import sys
from pathlib import Path

import cv2

SCRIPT = Path(__file__).parents[2] / "examples" / "real_defects.py"


def run(*arguments):
    command = [sys.executable, "-W", "error", SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_demo(tmp_path):
    done = run("--demo", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 images" in done.stdout and "2 good images" in done.stdout
    for name in ("bank.png", "pasted.png"):
        assert cv2.imread(str(tmp_path / name)).std() > 20


def test_what_it_needs_is_said(tmp_path):
    assert "name a folder, or --demo" in run().stderr
    wall = cv2.imread(str(SCRIPT.parents[1] / "example_img" / "example_1.jpg"))
    mask = wall[..., 0] * 0
    mask[20:40, 30:60] = 255
    cv2.imwrite(str(tmp_path / "a.png"), wall)
    cv2.imwrite(str(tmp_path / "a_mask.png"), mask)
    done = run(tmp_path, "--out", tmp_path.parent / "out")
    assert done.returncode == 1 and "--good FOLDER names good images" in done.stderr and "Trace" not in done.stderr
    assert cv2.imread(str(tmp_path.parent / "out" / "bank.png")).std() > 20
    assert not (tmp_path.parent / "out" / "pasted.png").exists()
    done = run(tmp_path, "--out", tmp_path / "out", "--good", SCRIPT.parents[1] / "example_img", "--rows", 1)
    assert done.returncode == 0 and "6 good images" in done.stdout
