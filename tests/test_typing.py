"""What a type checker and a tab key see."""

import importlib
import pkgutil
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from common import NAMES

import pail
from pail import pai

SCRIPT = Path(__file__).parent / "typed" / "user_script.py"


def test_the_users_script_runs():
    try:
        assert runpy.run_path(str(SCRIPT))["total"] > 0
    finally:
        pail.unregister("bright_square")


def test_mypy_strict_accepts_the_users_script(tmp_path):
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
        str(SCRIPT),
    ]
    done = subprocess.run(command, cwd=Path(pail.__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_accepts_the_users_script():
    pytest.importorskip("basedpyright")
    program = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    assert program
    command = [program, "--pythonpath", sys.executable, "--level", "error", str(SCRIPT)]
    done = subprocess.run(command, cwd=SCRIPT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_public_names_only():
    names = dir(pail)
    assert names == sorted(pail.__all__) and "Anomaly_Insertion" in names
    shown = dir(pai.Anomaly_Insertion())
    assert set(NAMES) <= set(shown) and not any(name.startswith("_") for name in shown)


def test_public_modules_say_what_they_offer():
    for name in ("pail", "pail.pai", "pail.masks", "pail.roi"):
        module = importlib.import_module(name)
        assert module.__all__ and all(hasattr(module, entry) for entry in module.__all__)


def test_repr_says_the_settings():
    assert repr(pai.Anomaly_Insertion(False, rng=3, data_range=4095)) == (
        "Anomaly_Insertion(transform=False, data_range=4095.0, seeded)"
    )


FLOORS = ["core io", "pixels", "masks roi types", "sfi sbi", "registry", "call", "pai", "warm"]


def floor(module):
    part = module.split(".")[1] if "." in module else ""
    found = [i for i, rooms in enumerate(FLOORS) if part in rooms.split()]
    return found[0] if found else len(FLOORS)


def test_imports_go_down_only():
    """Floors from the ground up; sfi and sbi never import each other, nor a technique another."""
    import ast

    for info in pkgutil.walk_packages(pail.__path__, "pail."):
        spec = importlib.util.find_spec(info.name)
        if spec.origin is None or floor(info.name) == len(FLOORS):
            continue
        for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
            targets = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pail":
                targets = [node.module] if node.module != "pail" else [f"pail.{alias.name}" for alias in node.names]
            for target in targets:
                if target in ("pail._version", "pail.__version__"):
                    continue
                assert floor(target) <= floor(info.name), f"{info.name} imports {target}"
                if info.name.startswith("pail.io"):  # beside the image formats of core, which build on it
                    assert target.startswith(("pail.io", "pail.core.checks")), f"{info.name} imports {target}"
                technique = info.name.split(".")[1] in ("sfi", "sbi")
                assert not (technique and target.split(".")[1] in ("sfi", "sbi")), f"{info.name} imports {target}"
