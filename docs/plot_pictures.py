"""Makes the pictures of docs/control.md from the gallery's examples."""

import os
import runpy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    for name in ("severity", "roi", "mix"):
        plt.close("all")
        with tempfile.TemporaryDirectory(dir=ROOT) as folder:  # below the photographs; each example saves a PNG there
            os.chdir(folder)
            runpy.run_path(str(ROOT / "examples" / f"plot_{name}.py"))
            os.chdir(ROOT)
        plt.savefig(ROOT / "docs" / "pictures" / f"{name}.jpg")


if __name__ == "__main__":
    main()
