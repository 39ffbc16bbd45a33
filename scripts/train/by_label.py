"""Sort photos whose labels are in a CSV or in their names into a folder for each class, as other commands read them.

    python -m scripts.train.by_label FOLDER OUT --csv labels.csv        # a column of file names, a column of labels
    python -m scripts.train.by_label FOLDER OUT                         # cat.0.jpg, american_bulldog_12.jpg
    python -m scripts.train.by_label FOLDER OUT --pattern '(.+)-site'   # or what is in the brackets is the label

Nothing in FOLDER changes: OUT gets links to the same files (copies on another disk). A split's folder stays one
(FOLDER/train/cat.0.jpg becomes OUT/train/cat/cat.0.jpg). Photos without a label are named and left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from scripts.common.errors import UserError, cli, disk_error, printable
from scripts.common.paths import local
from scripts.common.tables import read_table
from scripts.train import splits
from scripts.train.folders import kind, text

NAMES = r"(.+?)[\W_]*\d*"  # the name without its number at the end
FILES = ("file", "filename", "file_name", "image", "image_id", "image_name", "img", "id", "name", "path")
LABELS = ("label", "labels", "class", "class_name", "category", "target", "breed", "species", "tag")


def photos(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """(files called like a picture, [(what is left out, why)]), relative to `folder`, by name; hidden folders are not
    looked into. Raises UserError where there is none.
    """
    found, left = [], []

    def locked(error: OSError) -> None:
        left.append((Path(error.filename or folder), f"cannot be read ({error.strerror})"))

    for here, folders, files in os.walk(folder, onerror=locked):
        folders[:] = [name for name in folders if not splits.hidden(name, inside=True)]
        linked = [(Path(here, name), "a link to a folder, which is not followed") for name in folders]
        left += [pair for pair in linked if pair[0].is_symlink()]
        for path in (Path(here, name) for name in files if splits.picture(name) and name[0] != "."):
            what, reason = kind(path)
            if what == "file":
                found.append(path.relative_to(folder))
            else:
                left.append((path, reason))
    if not found:
        why = f" ({text(str(left[0][0]))}: {left[0][1]})" if left else ""
        raise UserError(f"{folder}: no such folder, or no photos in it{why}; name the folder that holds them")
    return sorted(found), sorted((path.relative_to(folder) if path != folder else path, why) for path, why in left)


def from_names(files: list[Path], pattern: str) -> dict[Path, str]:
    """File -> label, the first group of `pattern` where it fits the name without its suffix. Raises UserError."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--pattern {pattern}: no regular expression ({error})") from None
    if compiled.groups < 1:
        raise UserError(f"--pattern {pattern}: put brackets round the part that is the label, as in '{NAMES}'")
    found = {file: compiled.fullmatch(file.stem) or compiled.match(file.stem) for file in files}
    return {file: match[1] for file, match in found.items() if match and match[1]}


def from_csv(files: list[Path], path: Path, file_column: str = "", label_column: str = "") -> dict[Path, str]:
    """File -> label by a table's columns: those named, or those of the usual names. Raises UserError."""
    table = read_table(path)
    columns = {}
    for what, wanted, usual in (("file", file_column, FILES), ("label", label_column, LABELS)):
        there = [name for name in table if name == wanted or (not wanted and name.strip().lower() in usual)]
        if not there:
            raise UserError(
                f"{path.name}: which column is the {what}? Name one of {', '.join(table)[:200]} with --{what}-column"
            )
        columns[what] = there[0]
    labels = dict(zip(table[columns["file"]].str.strip(), table[columns["label"]].str.strip()))
    found = {}
    for file in files:  # a table says train/cat.0.jpg, cat.0.jpg or cat.0
        names = (file.as_posix(), file.name, file.stem)
        label = next((labels[text(name)] for name in names if labels.get(text(name))), "")
        if label:
            found[file] = label
    return found


def sort(folder: Path, out: Path, labels: dict[Path, str]) -> int:
    """Link each labelled file of `folder` into `out`/<label>/. Returns how many classes. Raises UserError."""
    classes = {label: re.sub(r"[/\0]+", "_", label).strip() for label in set(labels.values())}
    if bad := sorted(label for label, name in classes.items() if not name or splits.hidden(name)):
        raise UserError(f"the label {bad[0]!r} can't be a folder's name; choose other labels")
    if len(set(classes.values())) < 2:
        raise UserError(
            f"{folder}: one label, {sorted(classes)[0]!r}; give a --csv, or a --pattern that tells classes apart"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: there is something already; name a folder that is new or empty")
    for file, label in labels.items():
        target = out / file.parent / classes[label] / file.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source = os.path.realpath(folder / file)  # a link's own text may lead elsewhere from there
            try:
                os.link(source, target)
            except OSError:  # another disk, or one without links
                shutil.copy2(source, target)
        except OSError as error:
            raise disk_error(error, target) from None
    return len(set(classes.values()))


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Sort photos by labels in a CSV or in their names into class folders.")
    parser.add_argument("folder", type=local, help="the photos")
    parser.add_argument("out", type=local, help="a new folder, which gets a folder for each class")
    parser.add_argument("--csv", type=local, help="a table of file names and labels")
    parser.add_argument("--file-column", default="", help="its column of file names (default: one of the usual names)")
    parser.add_argument("--label-column", default="", help="its column of labels (default: one of the usual names)")
    parser.add_argument(
        "--pattern", default=NAMES, help="without --csv: where the label is in a name (default %(default)s)"
    )
    given = parser.parse_args()
    files, left = photos(given.folder)
    if given.csv:
        labels = from_csv(files, given.csv, given.file_column, given.label_column)
    else:
        labels = from_names(files, given.pattern)
    lost = [(file, "no label") for file in files if file not in labels]
    if not labels:
        raise UserError(f"{given.folder}: none of {len(files)} photos has a label; the first is {text(str(files[0]))}")
    count = sort(given.folder, given.out, labels)
    for some, more in ((left, "that are no files or can't be read"), (lost, "without a label")):
        for file, reason in some[:5]:
            print(printable(f"left out: {text(str(file))}: {reason}"), file=sys.stderr)
        if len(some) > 5:
            print(f"left out: {len(some) - 5:,} more {more}", file=sys.stderr)
    out = text(str(given.out))
    print(printable(f"{out}: {len(labels):,} photos in {count} classes"))
    print(printable(f"check it with: python -m scripts.train.datasets {shlex.quote(out)}"))


if __name__ == "__main__":
    sys.exit(main())
