"""Classify photos in the terminal.

    python -m scripts.demo.classify models/pets cat.jpg dog.jpg
    python -m scripts.demo.classify models/pets *.jpg --json

--json prints one array: file, class, probabilities, milliseconds, runtime, or file and error. Exit code 1 where a photo
couldn't be read; the others are still answered.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

from scripts.common.errors import UserError, cli
from scripts.common.locales import is_utf8
from scripts.common.paths import local
from scripts.demo.limits import RUNTIME

MANY = 200  # photos from which choosing a runtime, some seconds, pays; what was chosen before is used for any number


def classify(folder: Path, files: list[Path], trust_pickle: bool = False, runtime: str = "auto") -> list[dict]:
    """One dict per file, in order: file, class, probabilities, milliseconds; or file and error. Raises UserError
    for the model.
    """
    from scripts.demo.fastest import choose
    from scripts.demo.predict import NotAPhoto, Predictor, open_photo, read_file

    predictor = Predictor(folder, trust_pickle, runtime)
    if runtime == "auto" and not trust_pickle:
        if len(files) >= MANY:
            with contextlib.suppress(UserError):  # a full disk, say: PyTorch answers all the same
                choose(predictor)
        predictor.take_remembered()
    answers = []
    for file in files:
        try:
            answer = predictor.ask(open_photo(read_file(file)), heat=False)
        except NotAPhoto as reason:
            answers.append({"file": str(file), "error": str(reason)})
            continue
        answers.append(
            {
                "file": str(file),
                "class": next(iter(answer.probabilities)),
                "milliseconds": round(answer.milliseconds, 1),
                "runtime": answer.runtime,
                "probabilities": {name: round(share, 6) for name, share in answer.probabilities.items()},
            }
        )
    return answers


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description="Classify photos with an exported model.")
    parser.add_argument("model", type=local, help="its folder, such as models/pets")
    parser.add_argument("photos", type=local, nargs="*", metavar="PHOTO")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.add_argument("--trust-pickle", action="store_true", help="load model.pkl, which may run anything")
    parser.add_argument("--runtime", default="auto", metavar="R", help=RUNTIME)
    arguments, unknown = parser.parse_known_args()
    if wrong := [word for word in unknown if word[:1] == "-" and not os.path.lexists(word)]:
        parser.error(f"unrecognized arguments: {' '.join(map(_printable, wrong))}")
    # Names after --json, and those with a dash at the beginning, which `*.jpg` finds, too.
    arguments.photos += map(Path, unknown)
    if not arguments.photos:
        parser.error("the following arguments are required: PHOTO")
    answers = classify(arguments.model, arguments.photos, arguments.trust_pickle, arguments.runtime)
    if arguments.json:
        escaped = not is_utf8(sys.stdout.encoding)  # JSON is UTF-8 wherever it is read
        print(json.dumps(answers, indent=2, ensure_ascii=escaped).encode("utf-8", "backslashreplace").decode())
    else:
        for answer in answers:
            said = (
                answer.get("error")
                or f"{answer['class']}, {max(answer['probabilities'].values()):.1%} ({answer['milliseconds']:.0f} ms)"
            )
            print(_printable(f"{answer['file']}: {said}"), file=sys.stderr if "error" in answer else sys.stdout)
    return 1 if any("error" in answer for answer in answers) else 0


if __name__ == "__main__":
    sys.exit(main())
