"""Makes the pictures of docs/control.md and docs/defects.md from the gallery's examples."""

import os
import runpy
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent


PICTURES = ROOT / "docs" / "pictures"


def run(name: str) -> dict[str, Any]:
    """What an example defines; its figures stay open."""
    plt.close("all")
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:  # below the photographs; each example saves a PNG there
        os.chdir(folder)
        plt.style.use(ROOT / "docs" / "figures.mplstyle")
        defined = runpy.run_path(str(ROOT / "examples" / f"plot_{name}.py"))
        os.chdir(ROOT)
    return defined


def main() -> None:
    for name in ("severity", "roi", "mix"):
        run(name)
        plt.savefig(PICTURES / f"{name}.webp", pil_kwargs={"quality": 82})
    example = run("defects")
    for name, rows in (("defects", "on_materials"), ("defects-severity", "by_severity")):
        example["sheet"](example[rows])
        plt.savefig(PICTURES / f"{name}.webp", pil_kwargs={"quality": 82})


if __name__ == "__main__":
    main()
