"""Count the files and functions that one call of a technique enters, which a reader of the code has to follow.

    python benchmarks/call_path.py [TECHNIQUE ...]

Only code of the library counts. A second call is measured, so that imports and caches of the first do not.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import pail

ROOT = Path(pail.__file__).parent


def measure(technique: str) -> dict[str, int]:
    """Counts of one call: functions and files entered, calls, and how often the next call is in another file."""
    insertion = pail.Anomaly_Insertion()
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    seen: list[tuple[str, str]] = []

    def note(frame: object, event: str, argument: object) -> None:
        code = frame.f_code  # type: ignore[attr-defined]
        if event == "call" and code.co_filename.startswith(str(ROOT)):
            seen.append((code.co_filename, f"{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}"))

    arguments = {"anom_source_img": 255 - image} if pail.TECHNIQUES[technique].takes_source else {}
    getattr(insertion, technique)(image, rng=0, **arguments)
    sys.setprofile(note)
    try:
        getattr(insertion, technique)(image, rng=0, **arguments)
    finally:
        sys.setprofile(None)
    own = [entry for entry in seen if not entry[1].split(".")[-1].startswith(("<", "__"))]
    files = [file for file, _ in own]
    return {
        "functions": len(set(own)),
        "files": len(set(files)),
        "calls": len(own),
        "changes of file": sum(one != other for one, other in pairwise(files)),
    }


if __name__ == "__main__":
    names = sys.argv[1:] or list(pail.ELEVEN)
    print(f"{'technique':<28}" + "".join(f"{key:>17}" for key in measure(names[0])))
    for name in names:
        print(f"{name:<28}" + "".join(f"{count:>17}" for count in measure(name).values()))
