"""Put what a training run elsewhere handed back where a run here would have put it: tables in report/data, networks in
models/.

Each table is read before it is kept (what a name may be: scripts/cloud/files.py). Rows of a machine that has a table
already are put into it, as a run there would have done; nothing else in it changes. Where that table is of other
pictures, they get one of their own (scripts.train.results.apart).
"""

from __future__ import annotations

from pathlib import Path

from scripts.cloud.files import NETWORK
from scripts.common import provenance
from scripts.common.paths import atomic_write, make_folder


def tables(source: Path, out: Path) -> list[Path]:
    """Put the training tables in `source` into `out`. Returns the main ones. Raises UserError for a damaged table;
    then nothing was changed.
    """
    from scripts.train import results, train_models

    mains = results.runs(source)
    read = {main: {name: results.read(results.part(main, name)) for name in results.PARTS} for main in mains}
    make_folder(out)
    targets = []
    for main, parts in read.items():
        dataset, machine = main.stem.removeprefix("zoo-").rpartition("-")[::2]
        name = (
            results.apart(dataset, provenance.read_sidecar(main).get("checksum"), machine, out)
            if provenance.sidecar_path(main).exists()
            else dataset
        )
        target = results.path(name, machine, folder=out)
        with train_models.lock(target):
            if target.exists():
                _merge(target, parts)
            else:
                for part in (*results.PARTS[1:], results.PARTS[0]):
                    atomic_write(results.part(target, part), results.part(main, part).read_bytes())
            _sidecars(main, target, {} if name == dataset else {"dataset": name})
        targets.append(target)
    return targets


def _merge(target: Path, parts: dict) -> None:
    """Record each row of a run elsewhere in the table of the same machine, as scripts.train.train_models does."""
    from scripts.train import results

    predictions = parts["-predictions"]
    for row in parts[""].to_dict("records"):
        key = [row[name] for name in results.KEY]
        mine = lambda frame, key=key: frame[(frame[results.KEY] == key).all(axis=1)].drop(columns=results.KEY)
        prefix = ":".join(str(row[name]) for name in results.KEY) + ":"
        columns = [name for name in predictions if name.startswith(prefix)]
        test = predictions[["file", "label", *columns]].dropna()
        test.columns = ["file", "label", *(name.removeprefix(prefix) for name in columns)]
        results.record(target, row, mine(parts["-history"]), mine(parts["-classes"]), test)


def _sidecars(main: Path, target: Path, changed: dict) -> None:
    """The newest run's sidecars with what has `changed`, and with the checksums of the tables as they are now."""
    from scripts.train import results

    for name in results.PARTS:
        if provenance.sidecar_path(results.part(main, name)).exists():
            provenance.write_sidecar(
                results.part(target, name), provenance.read_sidecar(results.part(main, name)) | changed
            )


def networks(source: Path, models: Path) -> list[Path]:
    """Put trained networks (a folder each) into `models`, whole. Returns the folders."""
    found = []
    for folder in sorted({path.parent for path in source.glob("*/model.safetensors")}):
        make_folder(models / folder.name)
        for path in sorted(folder.iterdir(), key=lambda path: path.name != "model.safetensors"):
            if NETWORK.fullmatch(f"{folder.name}/{path.name}"):
                atomic_write(models / folder.name / path.name, path.read_bytes())
        found.append(models / folder.name)
    return found
