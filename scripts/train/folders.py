"""Find the classes and photos of a folder, and say of everything else why it is left out.

    FOLDER/cats/*.jpg FOLDER/dogs/*.jpg                     one folder per class
    FOLDER/training_set/cats/… FOLDER/test_set/cats/…       splits, named as in scripts.train.splits, nested or not
    FOLDER/cats/train/*.jpg FOLDER/cats/test/*.jpg          splits inside of each class

Classes are folders, whatever can be read in them: an empty or locked one stays a class and is refused by name later.
Nothing is opened here but folders. Names are compared in one Unicode form, files are opened by the name on the disk.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scripts.common.errors import UserError
from scripts.train import splits
from scripts.train.splits import TEST, TRAIN, UNLABELLED, VALID

COUNTED = 10_000  # files in a folder that is left out; from here on it says "more than"
SIDE_BY_SIDE = 5  # pictures from which a folder beside train/ may be meant as a class
SAID = {TRAIN: "to train on", VALID: "for validation", TEST: "to test on"}
HINT = "python -m scripts.train.by_label --help sorts photos into class folders by a CSV or by their names"


class Item(NamedTuple):
    """One file: its name as text, its class, train, test, valid or '' (not split yet), and its name on the disk, both
    relative to the dataset's folder.
    """

    file: str
    label: str
    split: str
    path: str


@dataclass
class Found:
    """What a folder holds. classes: sorted; left: [(file or folder/, reason)] that could have been photos; beside: the
    same of what never was one (README.md, .DS_Store); notes: what was taken for what.
    """

    items: list[Item] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def text(name: str) -> str:
    """A name from the disk that UTF-8 can write, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def class_name(name: str) -> str:
    """What a class folder's photos are labelled with: its name in one Unicode form, however the disk spells it."""
    return unicodedata.normalize("NFC", text(name))


# --- one folder -------------------------------------------------------------------------------------------------------


def kind(path: Path) -> tuple[str, str]:
    """('folder' | 'file' | '', reason): what stands at `path` or where it links to; '' where that can't be used."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if not os.path.islink(path):
            return "", f"cannot be read ({error.strerror})"
        if error.errno == errno.ELOOP:
            return "", "a link that leads in a circle"
        return "", "a link to nothing" if error.errno == errno.ENOENT else f"a link that fails ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "folder", ""
    if stat.S_ISREG(mode):
        return "file", ""
    return "", "a named pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def _children(folder: Path) -> list[Path]:
    """What is in a folder, by name. Raises OSError."""
    return [Path(folder, name) for name in sorted(os.listdir(folder))]


def _amount(folder: Path) -> str:
    """How many files a folder holds that is left out, in words."""
    count = 0
    for _, _, files in os.walk(folder):
        count += len(files)
        if count > COUNTED:
            return f"more than {COUNTED:,} files"
    return f"{count:,} file{'s' if count != 1 else ''}" if count else "empty"


def pictures(folder: Path, most: int = 1) -> int:
    """How many files in `folder` are called like pictures, at most `most`; its hidden folders are not looked into."""
    count = 0
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not splits.hidden(name)]
        count += sum(splits.picture(name) and not splits.hidden_file(name) for name in files)
        if count >= most:
            return most
    return count


def visible(folder: Path) -> list[Path]:
    """The folders in `folder` that may be classes or splits, by name: none that systems and tools leave there."""
    try:
        inside = sorted(Path(entry.path) for entry in os.scandir(folder) if _is_folder(entry))
    except OSError:
        return []
    return [child for child in inside if not _reason(child)]


def _is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or links to one; costs no look at a file, of which a class may hold thousands."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _reason(folder: Path) -> str:
    """Why a folder is neither class nor split, '' where it may be one."""
    if splits.hidden(folder.name):
        return "a hidden folder"
    if os.path.islink(folder) and Path(os.path.realpath(folder.parent)).is_relative_to(os.path.realpath(folder)):
        return "a link that leads back up"
    if folder.name.casefold() in splits.TOOLS and not pictures(folder):
        return "a tool's folder without photos"
    return ""


def _locked(folder: Path) -> str:
    """Why a folder can't be read, '' where it can."""
    try:
        _children(folder)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def unwrap(root: Path) -> Path:
    """`root`, or the folder it merely wraps, as archives do (training_set/training_set, cat-and-dog/train)."""
    try:
        root.stat()
    except PermissionError as error:
        raise UserError(f"{root}: cannot be read ({error.strerror}); check its permissions") from None
    except (OSError, ValueError):  # ValueError: a zero byte in a name
        raise UserError(
            f"{root}: no such folder; name one with a folder per class, or with training_set/ and test_set/"
        ) from None
    if not os.path.isdir(root):
        raise UserError(f"{root}: a file, not a folder; unpack it first and name the folder")
    if reason := _locked(root):
        raise UserError(f"{root}: {reason}; check its permissions")
    seen = set()
    while len(inside := visible(root)) == 1 and visible(inside[0]) and os.path.realpath(root) not in seen:
        seen.add(os.path.realpath(root))  # a link may lead back up
        root = inside[0]
    return root


def _unfold(top: Path) -> list[Path]:
    """A split's folder, and down to the one of the same name in it that holds its classes or photos."""
    chain = [top]
    while len(inside := visible(chain[-1])) == 1 and (visible(inside[0]) or splits.same(inside[0].name, top.name)):
        if os.path.realpath(inside[0]) in map(os.path.realpath, chain):  # a link leads back up
            break
        chain.append(inside[0])
    return chain


# --- the layout -------------------------------------------------------------------------------------------------------


class Top(NamedTuple):
    """Class folders of one split ('': not split yet) and the folder that holds them."""

    split: str
    folder: Path
    classes: list[Path]


@dataclass
class Layout:
    """tops: where the classes are; left: folders that are no part of it, with the reason."""

    tops: list[Top]
    left: list[tuple[Path, str]]


def layout(root: Path) -> Layout:
    """Which folders of `root` are classes, and of which split. Raises UserError where it could be read in two ways."""
    inside = visible(root)
    named = splits.among(folder.name for folder in inside)
    tops, flat, others, left = [], [], [], []
    for folder in inside:
        split, chain = named.get(folder.name), _unfold(folder)
        if not split:
            others.append(folder)
        elif split != UNLABELLED and visible(chain[-1]):
            tops.append(Top(split, chain[-1], visible(chain[-1])))
        else:
            flat.append(folder)
    kinds = {top.split for top in tops}
    if (
        TRAIN not in kinds
        and not others
        and all(splits.development(folder.name) == (named[folder.name] == VALID) for folder in inside)
    ):
        tops = [top._replace(split=TRAIN if top.split == VALID else top.split) for top in tops]  # dev/ and eval/
        kinds = {top.split for top in tops}
    if TRAIN in kinds:
        aside = [folder for folder in others if pictures(folder, SIDE_BY_SIDE) >= SIDE_BY_SIDE]
        if len(kinds) == 1 and len(aside) > 1:
            name = next(top.folder.name for top in tops)
            raise UserError(
                f"{root}: {name}/ holds folders as a split does, {_some([text(f.name) for f in aside])} beside it hold "
                f"photos as classes do; name {root / name} to use it alone, or put the classes into one folder"
            )
        left += [(folder, "beside the splits, not one of them") for folder in others]
    elif not others and (tops or flat) and not _lone_train(named, flat, tops):
        raise UserError(_no_training(root, [*(top.folder for top in tops), *flat]))
    else:
        # Photos in train/ beside car/ and plane/: a class. Beside test/ they are photos without labels.
        if _lone_train(named, flat, tops):
            others, flat = sorted([*others, *flat]), []
        for folder in others:
            _nested(folder)
        if others or not tops:
            tops.append(Top(TRAIN if tops else "", root, others))
    left += [(folder, _locked(folder) or "photos without labels: no class folders in it") for folder in flat]
    if TEST not in {top.split for top in tops}:  # the only photos set aside are what the networks are tested on
        tops = [top._replace(split=TEST) if top.split == VALID else top for top in tops]
    return Layout(tops, left)


def _lone_train(named: dict[str, str], flat: list[Path], tops: list[Top]) -> bool:
    """Whether only train/ is called like a split, and holds its photos itself, as a class of that name does."""
    return bool(flat) and not tops and all(named[folder.name] == TRAIN for folder in flat)


def _nested(folder: Path) -> None:
    """Raise UserError where what would be a class is a dataset: it has a train folder with class folders."""
    named = splits.among(child.name for child in visible(folder))
    inside = [name for name, split in named.items() if split == TRAIN and visible(_unfold(folder / name)[-1])]
    if inside:
        raise UserError(
            f"{folder}: holds splits of its own ({_some([text(name) for name in named])}), so it is a dataset and no "
            f"class; name {folder}"
        )


def _no_training(root: Path, folders: list[Path]) -> str:
    """The message for splits of which none is to train on, or has class folders."""
    names = " and ".join(f"{text(path.relative_to(root).parts[0])}/" for path in folders[:4])
    locked = [f"{text(folder.name)}/ {reason}" for folder in folders if (reason := _locked(folder))]
    why = f"; {locked[0]}" if locked else f"; {HINT}" if any(map(pictures, folders)) else ""
    return f"{root}: {names} without class folders to train on; put a folder for each class into train/{why}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "") if names else "none"


# --- the whole --------------------------------------------------------------------------------------------------------


def survey(root: Path, above: Path | None = None) -> Found:
    """Everything in the dataset's folder `root`, and what stands beside it up to `above`, the folder that the user
    named. Raises UserError: no two classes, splits of different classes, folders that could be splits or classes.
    """
    plan = layout(root)
    found = Collector(root, {folder for top in plan.tops for folder in top.classes})
    labels = [_labels(top, plan.tops[_first(plan.tops)]) for top in plan.tops]
    found.classes = sorted(set(labels[_first(plan.tops)]))
    if len(found.classes) < 2:
        raise UserError(_too_few(plan.tops[_first(plan.tops)], found.classes))
    inside = _splits_inside(plan.tops)
    for top, names in zip(plan.tops, labels):
        for folder, label in zip(top.classes, names):
            found.walk(folder, label, TRAIN if inside else top.split, inside)
    for folder, reason in plan.left:
        found.leave(folder, reason)
    levels = {above or root, root, *(top.folder for top in plan.tops)}
    levels |= {path for level in levels for path in level.parents if path.is_relative_to(above or root)}
    used = levels | found.class_folders | {folder for folder, _ in plan.left}
    for level in sorted(levels):
        found.strays(level, used)
    if len(plan.tops) > 1:
        said = [f"{found.name(top.folder)}/ {SAID[top.split]}" for top in plan.tops if top.folder != root]
        said += ["the classes beside it to train on"] if any(top.folder == root for top in plan.tops) else []
        found.notes.append(", ".join(said))
    if inside:
        found.notes.append("each class's own folders to train and test on")
    for names in labels:
        for label in sorted({name for name in names if names.count(name) > 1}):
            found.notes.append(
                f"{label}: {names.count(label)} folders, whose names differ only in how accents are written"
            )
    return found


class Collector(Found):
    """Every path that is met goes into items, left or beside."""

    def __init__(self, root: Path, class_folders: set[Path]):
        super().__init__()
        self.root, self.class_folders, self.names = root, class_folders, set()

    def name(self, path: Path) -> str:
        return text(self.place(path))

    def place(self, path: Path) -> str:
        """A path as seen from the dataset's folder."""
        whole, start = str(path), str(self.root) + os.sep
        return whole[len(start) :] if whole.startswith(start) else os.path.relpath(path, self.root)

    def leave(self, path: Path, reason: str) -> None:
        what = kind(path)[0]
        if what != "folder":
            hidden = splits.hidden_file(path.name)
            outside = self.class_folders.isdisjoint(path.parents)
            never = what == "file" and (hidden or (outside and not splits.picture(path.name)))
            (self.beside if never else self.left).append((self.name(path), "a hidden file" if hidden else reason))
        elif locked := _locked(path):
            self.left.append((f"{self.name(path)}/", locked))
        else:
            amount = "" if os.path.islink(path) else f", {_amount(path)}"
            never = not os.path.islink(path) and not pictures(path)
            (self.beside if never else self.left).append((f"{self.name(path)}/", reason + amount))

    def strays(self, folder: Path, taken: set[Path]) -> None:
        """Leave what stands in `folder` beside what is `taken`."""
        for child in _children(folder) if not _locked(folder) else []:
            if child not in taken:
                what, reason = kind(child)
                self.leave(child, (_reason(child) if what == "folder" else reason) or "not in a class folder")

    def walk(self, folder: Path, label: str, split: str, inside: dict[Path, str]) -> None:
        """Take the files of a class folder and the folders in it, but follow no link to a folder.

        inside: folders in it that are a split -> which.
        """
        stack = [(folder, split)]
        while stack:
            path, split = stack.pop()
            split = inside.get(path, split)
            what, reason = kind(path)
            if what == "file" and splits.hidden_file(path.name):
                self.leave(path, "a hidden file")
            elif what == "file":
                item = Item(self.name(path), label, split, self.place(path))
                if item.file in self.names:  # one name has bytes that are no UTF-8, the other spells them out
                    self.leave(path, "its name reads like another file's")
                    continue
                self.names.add(item.file)
                self.items.append(item)
            elif what != "folder":
                self.leave(path, reason)
            elif path != folder and os.path.islink(path):
                self.leave(path, "a link to a folder, which is not followed")
            elif path != folder and splits.hidden(path.name, inside=True):
                self.leave(path, "a hidden folder")
            else:
                try:
                    stack += [(child, split) for child in reversed(_children(path))]
                except OSError:
                    self.leave(path, "")  # which says why


def _first(tops: list[Top]) -> int:
    """The position of the top whose classes the others are held against: to train on, or not split."""
    return next(number for number, top in enumerate(tops) if top.split in ("", TRAIN))


def _labels(top: Top, first: Top) -> list[str]:
    """What the classes of `top` are called in `first`. Raises UserError where they are others; upper and lower case
    may differ between the two, but not where it tells two classes apart.
    """
    names = [class_name(folder.name) for folder in top.classes]
    known = {class_name(folder.name) for folder in first.classes}
    if set(names) == known:
        return names
    folded = {name.casefold().strip(): name for name in known}
    called = [folded.get(name.casefold().strip(), "") for name in names]
    if set(called) == known and len(known) == len(folded) and len(set(called)) == len(set(names)):
        return called
    raise UserError(
        f"{text(top.folder.name)}: its classes ({_some(sorted(set(names)))}) are not those of "
        f"{text(first.folder.name)} ({_some(sorted(known))}); both need the same folders"
    )


def _splits_inside(tops: list[Top]) -> dict[Path, str]:
    """Folders in the classes -> their split, where each class has one to train and one to test on; else {}."""
    if len(tops) > 1 or tops[0].split:
        return {}
    found = {}
    for folder in tops[0].classes:
        named = splits.among(child.name for child in visible(folder))
        if not (TRAIN in named.values() and {TEST, VALID} & set(named.values())):
            return {}
        found |= {folder / name: split for name, split in named.items() if split != UNLABELLED}
    return (
        found if TEST in found.values() else {path: TEST if split == VALID else split for path, split in found.items()}
    )


def _too_few(top: Top, classes: list[str]) -> str:
    what = f"one class, {classes[0]!r}" if classes else "no folders"
    hint = f"; {HINT}" if pictures(top.folder) and not (classes and pictures(top.classes[0]) == 0) else ""
    return f"{top.folder}: {what}; a dataset needs a folder for each of two classes or more{hint}"
