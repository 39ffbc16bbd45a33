"""What people call the folders that split a dataset, and the folders that hold no photos of it.

A name is taken apart into words (`Train Images`, `seg_train`, `testSet2`): one of WORDS says which split it is, what is
in GENERIC says nothing, and anything else, such as the `seg` of Intel's scenes, has to be shared with a folder of
another split.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

TRAIN, VALID, TEST, UNLABELLED = "train", "valid", "test", "unlabelled"

WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "trainvalid"), TRAIN),
    **dict.fromkeys(("val", "valid", "validate", "validation", "vali", "dev", "development"), VALID),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluate", "evaluation", "holdout", "heldout"), TEST),
    **dict.fromkeys(("unlabeled", "unlabelled", "unlabel", "pred", "predict", "prediction", "inference"), UNLABELLED),
}
GENERIC = frozenset(
    "set sets data dataset datasets image images img imgs photo photos picture pictures pic pics folder folders dir "
    "file files split splits subset part class classes category categories jpg jpeg png public private the and of for "
    "to predictions".split()
)

# What operating systems, network drives, editors and git leave behind; folders that start with a dot or __ are hidden.
HIDDEN = frozenset(
    ("@eadir", "@__thumb", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "system volume information")
)
HIDDEN_FILES = frozenset(("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "_ds_store", "icon\r"))
THUMBNAILS = frozenset(("thumbnail", "thumbnails"))
FINGERS = frozenset(("thumb", "thumbs"))  # inside a class these are thumbnails, too; beside classes one of the fingers
# Folders of tools: beside classes they are none, as long as no file in them is called like a picture.
TOOLS = frozenset(
    "models checkpoints checkpoint weights logs log runs wandb mlruns comet lightning_logs tensorboard outputs output "
    "export exports cache tmp temp scripts notebooks src venv env node_modules".split()
)
PICTURES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .gif .bmp .webp .tif .tiff .ppm .pgm .pbm .pnm .heic .heif .hif .avif".split()
)


class Name(NamedTuple):
    """split: TRAIN, VALID, TEST or UNLABELLED; rest: the words that say something else, sorted."""

    split: str
    rest: tuple[str, ...]


def _words(name: str) -> list[str]:
    """Lower-case words and numbers of a folder's name; what is written together (trainset) comes apart."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    text = re.sub(r"(?i)\b(hold|held)[\W_]+out", r"\1out", text)
    found = []
    for word in re.findall(r"\d+|[^\W\d_]+", text.casefold()):
        for known in sorted(WORDS, key=len, reverse=True):
            before, after = word.removesuffix(known), word.removeprefix(known)
            if word not in WORDS and after != word and after in GENERIC:
                found += [known, after]
                break
            if word not in WORDS and before != word and before in GENERIC:
                found += [before, known]
                break
        else:
            found.append(word)
    return found


def read(name: str) -> Name | None:
    """The split that a folder's name speaks of, or None. A name of several splits is one only as train and valid."""
    words = _words(name)
    kinds = {WORDS[word] for word in words if word in WORDS}
    rest = [
        word for word in words if word not in WORDS and word not in GENERIC and not (word.isdigit() and len(word) < 3)
    ]
    if not kinds:
        return None
    if UNLABELLED in kinds:
        return Name(UNLABELLED, tuple(sorted(rest)))
    if kinds == {TRAIN, VALID}:
        return Name(TRAIN, tuple(sorted(rest)))
    return Name(kinds.pop(), tuple(sorted(rest))) if len(kinds) == 1 else None


def among(names: Iterable[str]) -> dict[str, str]:
    """Those of sibling folders that are named as splits: name -> split.

    Words that are no split's (seg_train) have to be shared with a folder of another split (seg_test).
    """
    found = {name: read(name) for name in names}
    found = {name: said for name, said in found.items() if said}
    kinds: dict[tuple, set] = {}
    for said in found.values():
        kinds.setdefault(said.rest, set()).add(said.split)
    return {name: said.split for name, said in found.items() if not said.rest or len(kinds[said.rest]) > 1}


def same(one: str, other: str) -> bool:
    """Whether two names are one name in other spellings, as in training_set/training_set or seg_pred/seg_pred."""
    return _words(one) == _words(other)


def hidden(name: str, inside: bool = False) -> bool:
    """Whether a folder of this name holds no photos of the dataset. inside: it stands in a class."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    letters = re.sub(r"[\W_]+", "", plain)
    return name.startswith((".", "__")) or plain in HIDDEN or letters in THUMBNAILS or (inside and letters in FINGERS)


def hidden_file(name: str) -> bool:
    """Whether a file of this name is no photo of the user's."""
    return name.startswith(".") or name.casefold() in HIDDEN_FILES


def picture(name: str) -> bool:
    """Whether a file is called like a picture."""
    return "." in name and f".{name.rpartition('.')[2].casefold()}" in PICTURES


def development(name: str) -> bool:
    """Whether a folder of this name is the development set of a pair, the other one being for evaluation."""
    return any(word in ("dev", "development") for word in _words(name))
