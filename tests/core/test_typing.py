"""Type hints and tab completion."""

import ast
import importlib
import importlib.util
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

SCRIPT = Path(__file__).parents[1] / "typed" / "user_script.py"


def test_the_users_script_runs():
    try:
        assert runpy.run_path(str(SCRIPT))["total"] > 0
    finally:
        pail.unregister("bright_square")


@pytest.mark.slow
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


@pytest.mark.slow
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


# From the ground up: a module imports from its own floor and those before it. Each part of the package stands on one.
FLOORS = [
    "_version _install references",
    "core io",
    "pixels",
    "masks roi types",
    "sfi sbi beyond",
    "registry",
    "call citation",
    "beyond.methods",
    "pai",
    "warm inserter",
    "dataset reading report",
    "torch torchvision albumentations anomalib app",
    "pail",
    "cli",
    "__main__",
]
TECHNIQUES = ("sfi", "sbi", "beyond")


def part_of(module):
    """The part of the package that a module belongs to: the second word of its name, "pail" for the package itself.

    The methods of the techniques beyond the eleven stand above these.
    """
    if module == "pail.beyond.methods":
        return "beyond.methods"
    return module.split(".")[1] if "." in module else module


def floor(module):
    found = [number for number, parts in enumerate(FLOORS) if part_of(module) in parts.split()]
    assert len(found) == 1, f"say in FLOORS on which floor {module} stands"
    return found[0]


def modules():
    return ["pail", *(info.name for info in pkgutil.walk_packages(pail.__path__, "pail."))]


def imports(source, names):
    """The modules of the package that a source imports, wherever in it: `from pail import x` is pail.x where that is
    a module, and the package itself otherwise."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "pail")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pail":
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in names else node.module for name in inner)


def test_every_module_has_a_floor():
    for name in modules():
        floor(name)
    with pytest.raises(AssertionError, match="say in FLOORS"):
        floor("pail.attic")


def test_imports_go_down_only():
    wrong, names = [], modules()
    for name in names:
        source = Path(importlib.util.find_spec(name).origin).read_text(encoding="utf-8")
        for target in imports(source, names):
            up = floor(target) > floor(name)
            technique = part_of(name) in TECHNIQUES and part_of(target) in TECHNIQUES
            if up or (technique and name.split(".")[:3] != target.split(".")[:3]):  # a package of its own at most
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_imports_are_found_in_every_form():
    source = (
        "import pail\nfrom pail import roi, TECHNIQUES\ndef f():\n    from pail.core import ops\n    import pail.cli\n"
    )
    assert sorted(imports(source, modules())) == ["pail", "pail", "pail.cli", "pail.core.ops", "pail.roi"]
