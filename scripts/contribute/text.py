"""The text of a pull request that adds a machine, and the commands that make it. Nothing in it names a person, a folder
or a program of the reader's.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.contribute import PRIVATE
from scripts.common import paths
from scripts.common.words import counted
from scripts.contribute.look import Seen


@dataclass(frozen=True)
class Contribution:
    """machine: as the sidecar has it; seen: the look around; score: of `predict.command.checked`, None where nothing
    was compared; promise: the sidecar of the stored predictions; alike, doubts, problems: sentences; files: to commit.
    """

    machine: dict
    seen: list[Seen]
    score: dict | None
    promise: dict
    alike: str
    doubts: list[str]
    problems: list[str]
    files: list[Path]

    @property
    def name(self) -> str:
        return str(self.machine.get("name") or self.machine.get("slug", "a machine"))


def scored(score: dict | None) -> str:
    """How the predictions did, in a sentence."""
    if not score:
        return "nothing that was predicted has been measured yet"
    return (
        f"{counted(score['networks'], 'network')} predicted, then measured: half are off by less than "
        f"{score['median_error']:.0%}, nine in ten by less than {score['p90_error']:.0%}; {score['coverage']:.0%} lie "
        f"in their 90% interval, rank correlation {score['spearman']:.3f}"
    )


def body(about: Contribution) -> str:
    """The pull request's text as Markdown, its title first."""
    machine, promise, score = about.machine, about.promise, scored(about.score)
    memory = f"{machine.get('memory_gb', 0):.0f} GB of memory"
    facts = [machine.get("cpu"), f"{machine.get('cores', '?')} cores", memory, machine.get("system")]
    facts += [f"driver {machine['driver']}"] if machine.get("driver") else []
    what = ", ".join(str(fact) for fact in facts if fact)
    lines = [f"Add {about.name}", "", f"{what}.", "", "## Before measuring", ""]
    lines += [f"- {one.what}: {one.said}" for one in about.seen]
    lines += [
        "",
        "## Predictions",
        "",
        f"Predicted from {promise.get('used')} measured networks and kept on {promise.get('date')}, before the others "
        f"were measured. {score[:1].upper()}{score[1:]}.",
        "",
        "## Are the numbers plausible?",
        "",
        f"{about.alike[:1].upper()}{about.alike[1:]}." if about.alike else "No table has enough of these networks.",
        *(f"- Doubtful: {doubt}" for doubt in about.doubts),
        *([] if about.doubts else ["Nothing is doubtful."]),
        "",
        "## Files",
        "",
        *(f"- `{path.name}`" for path in about.files),
    ]
    if about.problems:
        lines += ["", "## To mend before this can be taken in", "", *(f"- {problem}" for problem in about.problems)]
    private = "- (left out: it named a folder or an address)"
    return "\n".join(private if PRIVATE.search(line) else line for line in lines)


def write(about: Contribution, stem: str, folder: Path | None = None) -> Path:
    """Keep the text. Returns its path: build/contribute/<table>.md, or in `folder`."""
    out = paths.make_folder(folder or paths.ROOT / "build" / "contribute") / f"{stem}.md"
    return paths.atomic_write(out, body(about) + "\n")


def commands(about: Contribution, out: Path) -> str:
    """What to type for the pull request; '' where something has to be mended first."""
    if about.problems:
        return "Mend what is wrong, then run `make contribute` again."
    if about.files[0].parent != paths.DATA:
        return "That was a rehearsal: the same without --out measures into report/data and prepares the pull request."
    slug = str(about.machine.get("slug", "machine"))
    files = " ".join(shlex.quote(str(paths.relative(path))) for path in about.files)
    return (
        "Add to it what else was special (power limit, cooling, a virtual machine), then:\n"
        f"  git switch -c add-{slug}\n  git add {files}\n  git commit -m {shlex.quote(f'Add {about.name}')}\n"
        f"  git push -u origin add-{slug}\n"
        f"and open a pull request with the text of {paths.relative(out)}."
    )
