"""Add this machine to the report: look, measure, predict, measure the rest, compare, and prepare the pull request.

    make contribute                               # all of it; again goes on where it was
    python -m scripts.contribute --dry-run        # what would be done, and how long it takes; nothing is measured
    python -m scripts.contribute --out folder     # a rehearsal: everything goes there, nothing into report/data

The steps: look whether the machine is fit to be measured; measure the most telling networks; predict all others from
these and keep that before any of them is measured; measure thirty others; hold the predictions against them; ask
whether the figures are plausible; check the files as CI will; write the text. Which are done is read off the files, so
Ctrl-C or a crash costs at most the network in hand.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from scripts.bench import contribute, settings as bench_settings, sweep
from scripts.common import device as devices, hardware, paths
from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.common.words import counted, duration, listing
from scripts.contribute import look, plausible, promise, text
from scripts.predict import command, design, speeds, tables as predict_tables

TELLING, OTHERS = 20, 30  # as `scripts.perf.predict --measure`, whose check the report shows
OVERHEAD = 3.0  # seconds a network beside its budget, as measured on two cores: building it, its first steps
STEPS = ("look", "measure the telling", "predict", "measure the others", "compare", "plausible", "check", "text")


@dataclass(frozen=True)
class Plan:
    """What is to be measured and where it goes. arguments: for the sweep, but the models; table: its CSV."""

    device: str
    table: Path
    telling: tuple[str, ...]
    others: tuple[str, ...]
    seconds: float
    arguments: tuple[str, ...]

    def left(self, names: tuple[str, ...], after: str = "") -> list[str]:
        """Those of `names` without a row in the table, or with one from before the moment `after`."""
        if not self.table.is_file():
            return list(names)
        rows = read_table(self.table, required=["model", "measured_at", "status"])
        then = promise.moment(after)
        done = {
            row.model.partition(".")[0]
            for row in rows.itertuples()
            if then is None or ((when := promise.moment(row.measured_at)) is not None and when > then)
        }
        return [name for name in names if name not in done]

    def wait(self, names: list[str]) -> str:
        return duration(len(names) * (self.seconds + OVERHEAD))


def plan(options: argparse.Namespace) -> Plan:
    """What the command line asks for on this machine. Raises UserError for a folder or device that is not there."""
    device = devices.check(options.device)
    group = devices.group(device)
    folder = options.out or paths.DATA
    if not folder.is_dir():
        raise UserError(f"--out {folder}: no such folder; create it first")
    given = ["--device", device, *(["--threads", options.threads] if options.threads else [])]
    given += ["--seconds", str(options.seconds)] if options.seconds else []
    chosen = bench_settings.settings_from(sweep.parser().parse_args(given), device)
    with sweep.Measurer() as measurer:
        here = measurer.ask("describe", device)
    here["slug"] = hardware.describe(device, here["uuid"])["slug"]
    return Plan(
        device,
        folder / sweep.file_name(chosen, here, False, 1),
        tuple(design.design(options.telling, group)),
        tuple(design.design(options.others, group, role="check")),
        chosen.seconds,
        (*given, *(["--out", str(folder)] if options.out else [])),
    )


def say(step: int, what: str) -> None:
    print(f"{step}/{len(STEPS)} {what}", flush=True)


def walk(options: argparse.Namespace) -> int:
    """All steps. Returns the exit code: 0 ready for a pull request, 1 something to mend first, 3 more to measure."""
    now = plan(options)
    seen = _look(now, options)
    if options.dry_run:
        return _rehearse(now)
    if any(one.state == look.TROUBLE for one in seen) and not options.anyway:
        print("Mend that and come again, or measure all the same with --anyway; the text will say so.")
        return 1
    predict_tables.published()  # where they can't be had, that is said before minutes of measuring
    heat = look.slowed_by_heat()
    say(2, f"the {counted(len(now.telling), 'most telling network', 'most telling networks')}")
    if _measure(now, now.left(now.telling), options.minutes):
        return 3
    say(3, "predictions for all others, kept before any is measured")
    path, made = promise.keep(now.table, now.telling)
    if not path.exists():
        print("  nothing can be predicted from these: each interval would be too wide to mean anything")
        _plausible(now, made)
        return 1
    kept, facts = promise.read(path)
    print(f"  {len(kept):,} networks predicted from {facts['used']}: {paths.relative(path)}, kept {facts['date']}")
    say(4, f"{len(now.others)} of the predicted networks")
    if _measure(now, now.left(now.others, facts["date"]), options.minutes):
        return 3
    hotter = look.slowed_by_heat()
    if heat is not None and hotter is not None and hotter > heat:
        told = f"heat slowed the processor {counted(hotter - heat, 'time')} while it was measured"
        seen.append(look.Seen("heat", look.TROUBLE, told, "let it cool down and measure again"))
        print(f"  {told}")
    say(5, "the predictions against what was measured")
    compared = promise.compared(path)
    score = command.checked(compared) if len(compared) else None
    print(f"  {text.scored(score)}")
    alike, doubts = _plausible(now, made)
    say(7, "the files, as CI will check them")
    wrong = contribute.check(now.table)
    print("\n".join(f"  {problem}" for problem in wrong) or "  fit for the report")
    say(8, "the pull request")
    files = [one for table in (now.table, path) for one in (table, table.with_suffix(".json"))]
    about = text.Contribution(facts["hardware"], seen, score, facts, str(alike or ""), doubts, wrong, files)
    out = text.write(about, now.table.stem, options.out)
    print(f"  its text: {paths.relative(out)}\n{text.commands(about, out)}")
    return int(bool(wrong))


def _plausible(now: Plan, made: speeds.Prediction) -> tuple[plausible.Alike | None, list[str]]:
    """The most alike table, and what is doubtful of the figures."""
    say(6, "are the numbers plausible?")
    known = predict_tables.references(without=made.settings["hardware"])
    alike, doubts = plausible.judge(promise.rows_of(now.table), known, made.outliers)
    print(f"  {alike or 'no table has enough of these networks to compare with'}")
    print("\n".join(f"  doubtful: {doubt}" for doubt in doubts) or "  nothing is doubtful")
    return alike, doubts


def _look(now: Plan, options) -> list[look.Seen]:
    say(1, "is the machine fit to be measured?")
    seen = look.around(now.device)
    for one in seen:
        print(f"  {one.what}: {one.said}" + (f"; {one.remedy}" if one.state == look.TROUBLE else ""), flush=True)
    return seen


def _rehearse(now: Plan) -> int:
    """What would be done; nothing is measured or written."""
    path = promise.path_of(now.table)
    after = promise.read(path)[1]["date"] if path.exists() else ""
    first, then = now.left(now.telling), now.left(now.others, after) if after else list(now.others)
    for step, what in (
        (2, f"measures {len(first)} of {len(now.telling)} telling networks, about {now.wait(first)}"),
        (3, f"{'keeps' if not after else 'has kept'} what is predicted in {paths.relative(path)}"),
        (4, f"measures {len(then)} of {len(now.others)} others, about {now.wait(then)}"),
        (5, "compares; asks whether the figures are plausible; checks the files; writes the text"),
    ):
        say(step, what)
    print(f"{paths.relative(now.table)}: nothing was measured or written")
    return 0


def _measure(now: Plan, names: list[str], minutes: float | None) -> int:
    """Measure `names`. Returns how many are left."""
    if not names:
        print("  all measured")
        return 0
    some = f"{listing(names[:3])}{', …' * (len(names) > 3)}"
    print(f"  {counted(len(names), 'network')}, about {now.wait(names)}: {some}")
    given = [*now.arguments, "--models", *names, *(["--minutes", str(minutes)] if minutes else [])]
    _, left = sweep.go(given)
    if left:
        print(f"  {left} left: `make contribute` goes on with them")
    return left
