"""Runs the notebooks of examples/notebooks and stores their outputs. Run it after a change to one of them."""

import sys
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "notebooks"


def execute(file: Path, folder: Path = FOLDER) -> nbformat.NotebookNode:
    """The notebook, run from its first cell to its last in a new kernel, without stored outputs."""
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=300, record_timing=False, resources=resources)
    client.execute()
    return notebook


def main(names: list[str]) -> None:
    for file in sorted(FOLDER.glob("*.ipynb")):
        if not names or file.stem in names:
            nbformat.write(execute(file), file)


if __name__ == "__main__":
    main(sys.argv[1:])
