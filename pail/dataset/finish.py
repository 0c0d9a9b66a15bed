"""The end of a run: the manifest, and everything that is derived from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pail._version import __version__
from pail.call.record import stack
from pail.dataset.labels import write_coco
from pail.dataset.layouts import data_yaml
from pail.dataset.make import json_line
from pail.dataset.run import Run
from pail.dataset.store import Store
from pail.dataset.work import part_of
from pail.io.read import decode


@dataclass
class Summary:
    """The result of a run, which `pail.generate` returns."""

    out: str
    planned: int = 0  # images of this run before tiling; 0 in a shard without a chunk
    good: int = 0
    anomalies: int = 0
    techniques: dict[str, int] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    cut: int = 0  # images that were cut into tiles; `good` and `anomalies` then count tiles
    pools: dict[str, int] = field(default_factory=dict)  # per split: normal images that its anomalies are made from
    splits: dict[str, int] = field(default_factory=dict)  # images in each
    classes: dict[str, dict[str, int]] = field(default_factory=dict)  # per split: pieces of each class
    missing: list[str] = field(default_factory=list)  # images that were requested but not made, and why
    data_range: float | tuple[float, float] | None = None  # the measured window if the recipe says "auto"
    # Normal images with anomalies: those with a foreground, which they are restricted to, and those without.
    foreground: list[str] = field(default_factory=list)
    everywhere: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        return self.good + self.anomalies

    @property
    def manifest(self) -> str:
        return f"{self.out.rstrip('/')}/manifest.jsonl"

    @property
    def report(self) -> str:
        return f"{self.out.rstrip('/')}/report.html"

    @property
    def lacking(self) -> list[str]:
        """A line for each split that has no piece of some classes; it names the split if there are several."""
        found = []
        for split, counts in self.classes.items():
            empty = [name for name, count in counts.items() if count == 0]
            names = ", ".join(empty)
            if empty and len(self.classes) == 1:
                found.append(f"none of: {names}")
            elif empty:
                found.append(f"not in every split: {split} has no {names if len(empty) < len(counts) else 'anomaly'}")
        return found

    @property
    def status(self) -> int:
        """The exit status: 0 all made, 1 nothing made, 3 some files skipped, 4 fewer images than requested."""
        if self.planned == 0:  # an empty shard, because there are fewer chunks than shards
            return 0
        return 1 if self.images == 0 else 4 if self.missing else 3 if self.skipped else 0

    def add(self, line: dict[str, Any]) -> None:
        """Count the image that a line of the manifest describes."""
        self.splits[line["split"]] = self.splits.get(line["split"], 0) + 1
        if line["label"] == 0:
            self.good += 1
            return
        self.anomalies += 1
        for name in line["techniques"]:
            self.techniques[name] = self.techniques.get(name, 0) + 1


def finish(run: Run) -> Summary:
    """Write the manifest and what is derived from it. The parts are kept, so a finished set can be resumed, too."""
    summary = _write_manifest(run)
    run.out.write("skipped.jsonl", b"".join(json_line(entry) for entry in summary.skipped))
    if run.recipe.layout == "yolo":
        run.out.write("data.yaml", data_yaml(run.recipe, summary.splits, run.inputs.kinds).encode())
    if run.recipe.coco:
        write_coco(run.out, run.recipe, lambda: _made(run), summary.splits, run.inputs.kinds)
    run.out.write("dataset.json", _description(run, summary))
    _report(run, summary)
    return summary


def _write_manifest(run: Run) -> Summary:
    """Write the lines of all items, and count what is in them."""
    names, numbers = run.recipe.class_names(run.inputs.kinds), run.recipe.class_numbers(run.inputs.kinds)
    pools = {split: len(group) for split, group in run.plan.pools.items()}
    classes = {split: dict.fromkeys(names, 0) for split in pools}
    summary = Summary(run.out.url, data_range=run.recipe.data_range, pools=pools, classes=classes)
    seen: dict[tuple[str, str], dict[str, str]] = {}
    regions: dict[str, bool] = {}
    lacking: list[dict[str, str]] = []  # for each missing anomaly, the last normal image that was tried
    asked = 0  # requested anomalous images, before tiling
    planned = (item for chunk in run.chunks for item in run.plan.items(chunk))
    with run.out.writing("manifest.jsonl") as manifest:
        for item, (lines, beside) in zip(planned, _entries(run), strict=True):
            summary.planned += 1
            tried = json.loads(beside)["skipped"]
            for skipped in tried:
                seen.setdefault((skipped["role"], skipped["file"]), skipped)
            made = json.loads(lines)
            summary.cut += bool(made) and run.recipe.tile is not None
            for line in made:  # one line, or those of all tiles
                manifest.write(json_line(line))
                summary.add(line)
                for piece in line.get("pieces", ()):
                    number = numbers[run.recipe.label(piece["technique"], piece.get("kind"))]
                    classes[line["split"]][names[number]] += 1
                if line["label"]:
                    regions[line["normal"]] = line["region"] is not None
            if not item.is_good:
                asked += 1
                lacking += [] if made else [tried[-1]]
    summary.skipped = [seen[key] for key in sorted(seen)]
    if run.recipe.roi in ("auto", "foreground"):
        summary.foreground = sorted(name for name, has_one in regions.items() if has_one)
        summary.everywhere = sorted(name for name, has_one in regions.items() if not has_one)
    summary.missing = _missing(run, asked, lacking)
    return summary


def _missing(run: Run, asked: int, lacking: list[dict[str, str]]) -> list[str]:
    """What was requested but not made, with a line for each reason."""
    found = []
    if lacking:
        example = lacking[0]
        found.append(
            f"{len(lacking)} of {asked} anomalous images were not made: none of the normal images that "
            f"were tried can be used, for example {example['file']!r}: {example['reason']}"
        )
    normals = len(run.plan.numbers)
    for split, names in run.plan.splits.items():
        if not names:
            share = run.recipe.shares[split]
            found.append(f"the {split} split is empty: its share is {share:g} of {normals} normal images")
    return found


def _made(run: Run) -> Iterator[dict[str, Any]]:
    """For each image that was made, a dict with its manifest line as "made" and its COCO annotations."""
    for lines, beside in _entries(run):
        made = json.loads(lines)
        annotations = json.loads(beside).get("annotations", [[]] * len(made))
        for line, own in zip(made, annotations, strict=True):
            yield {"made": line, "annotations": own}


def _entries(run: Run) -> Iterator[tuple[bytes, bytes]]:
    """For each item, its manifest lines as a list, and its files together with the skipped files."""
    for chunk in run.chunks:
        part = run.out.lines(part_of(chunk))
        yield from zip(part, part, strict=True)


def manifest_lines(out: Store) -> Iterator[dict[str, Any]]:
    """The lines of a finished manifest."""
    for line in out.lines("manifest.jsonl"):
        yield json.loads(line)


def _description(run: Run, summary: Summary) -> bytes:
    values = {
        "version": __version__,
        "stack": stack(),
        "command": run.command,
        "recipe": {name: value for name, value in asdict(run.recipe).items() if value is not None},
        "inputs": run.fingerprint,
        **_bank(run),
        "counts": {
            "good": summary.good,
            "anomalies": summary.anomalies,
            "splits": summary.splits,
            "techniques": dict(sorted(summary.techniques.items())),
            "classes": summary.classes,
            "skipped": len(summary.skipped),
        },
    }
    return (json.dumps(values, indent=2) + "\n").encode()


def _bank(run: Run) -> dict[str, Any]:
    """The identity of the bank of real defects, if one was used."""
    bank = run.inputs.defects
    return {} if bank is None else {"defects": {"identity": bank.identity, "count": len(bank), "kinds": bank.kinds}}


def _report(run: Run, summary: Summary) -> None:
    from pail.report.report import report_page  # imported here, because it imports jinja2 and plotting code

    facts = {"command": run.command, "seed": run.recipe.seed, "layout": run.recipe.layout, "version": __version__}
    name = Path(run.out.url.rstrip("/")).name or run.out.url
    lacking = [*summary.missing, *summary.lacking]
    page = report_page(
        name,
        manifest_lines(run.out),
        lambda path: decode(run.out.read(path)),
        skipped=summary.skipped,
        facts=facts,
        lacking=lacking,
    )
    run.out.write("report.html", page.encode())
