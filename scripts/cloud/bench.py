"""Measure hardware one doesn't own: run the sweep on rented machines and bring back its tables under the cards' names,
ready to commit.

    # the requests and what they can cost
    python -m scripts.cloud.bench --instance ml.g5.xlarge,ml.g4dn.xlarge --models key --dry_run
    # two at a time (--limit)
    python -m scripts.cloud.bench --instance ml.g5.xlarge,ml.g4dn.xlarge --models key
    # what follows -- is for the sweep
    python -m scripts.cloud.bench --instance ml.g5.xlarge --models key -- --precision bf16 --compile

What has been measured is not paid for twice: an instance whose table is there, or a card that has been measured by the
same sweep, is left out (--again measures it all the same), and a job that was started by an interrupted command is
taken up again. A table that comes back is checked as a contributed one is (make check-data) before it is kept; rows of
the same card and settings that are there already stay, unless they were measured again. Ctrl-C rents nothing more and
names the jobs that go on. Needs `make cloud` and an AWS account; prices: scripts/cloud/cloud_prices.csv.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shlex
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from scripts.cloud import files as cloud_files, jobs, prices
from scripts.common import provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import CACHE, DATA, atomic_write
from scripts.common.tables import read_table

RESULTS = f"{jobs.CHECKPOINTS}/results"  # kept through an interruption, with the sweep's journal
HERE = {"BEST_IMAGE_MODELS_CACHE": f"{jobs.CHECKPOINTS}/cache"}
LEDGER = CACHE / "cloud" / "jobs.json"  # sweep on an instance -> job that was started
_ledger, _tables = threading.Lock(), threading.Lock()


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    options.add_argument("--instance", required=True, help="instance types, comma-separated")
    options.add_argument(
        "--models", default="key", help="sets or names, comma-separated, as for scripts.bench.sweep (default: key)"
    )
    options.add_argument("--part", choices=("infer", "train"), default="infer")
    options.add_argument("--limit", type=int, default=2, help="machines rented at once (default: 2)")
    options.add_argument("--again", action="store_true", help="measure what has been measured")
    options.add_argument(
        "--spot", action="store_true", help="spare capacity; a sweep that is interrupted goes on where it was"
    )
    options.add_argument(
        "--max_run", type=int, default=3 * 3600, help="seconds after which a machine is given back (default: 3 hours)"
    )
    for name, text in (
        ("role", "ARN or name of the role the jobs run as"),
        ("region", "default: that of your AWS configuration"),
        ("bucket", "default: SageMaker's own of the account"),
        ("pytorch", "version of SageMaker's image (default: the newest)"),
    ):
        options.add_argument(f"--{name}", default="", help=text)
    options.add_argument(
        "--dry_run", action="store_true", help="print the requests and what they can cost; nothing is sent"
    )
    options.add_argument("--poll", type=float, default=15.0, help="seconds between two looks at a job")
    options.add_argument("--out", type=Path, default=DATA, help="folder for the tables")
    options.add_argument("sweep", nargs="*", help="after --: options for scripts.bench.sweep")
    return options


def sweep_command(options: argparse.Namespace) -> list[str]:
    """The sweep's arguments, the same for every instance."""
    return ["--models", *names(options.models), "--part", options.part, *options.sweep]


def names(text: str) -> list[str]:
    """The names of a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def command(options: argparse.Namespace) -> str:
    """What runs on the machine."""
    sweep = ["python", "-m", "scripts.bench.sweep", *sweep_command(options), "--out", RESULTS]
    return f"mkdir -p {RESULTS} && {shlex.join(sweep)}"


def rented(instance: str, options: argparse.Namespace) -> jobs.Machine:
    """`instance` with the command's options. Raises UserError for what SageMaker would refuse."""
    same = ("spot", "max_run", "region", "role", "bucket", "pytorch")
    machine = jobs.Machine(instance, **{name: getattr(options, name) for name in same})
    machine.check()
    return machine


def measured(instance: str, sweep: list[str], folder: Path) -> Path | None:
    """The complete table that this very sweep has left already: on that instance, or on any machine with its card.
    None where there is none.
    """
    table = prices.load()
    cards = set(table.loc[table["instance"] == instance, "card"])
    for sidecar in sorted(folder.glob("*.json")):
        try:
            facts = json.loads(sidecar.read_text(encoding="utf-8"))
            if sweep in whole(facts) and (
                facts.get("cloud", {}).get("instance") == instance or facts["hardware"]["slug"] in cards
            ):
                return sidecar.with_suffix(".csv")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # no sidecar of a sweep
    return None


def whole(facts: dict) -> list[list[str]]:
    """The sweeps whose rows are all in a table, by its sidecar: the last one if it is complete, and what it was
    merged with (`merge`).
    """
    there, said = facts.get("cloud", {}), shlex.split(facts["command"])
    last = there["sweep"] if "sweep" in there else said[said.index("scripts.bench.sweep") + 1 :]
    return [*there.get("also", []), *([last] if facts.get("complete") else [])]


def ledger(key: str, job: str | None = None, forget: bool = False) -> str:
    """The job that was started for `key`, '' where there is none; sets or forgets it."""
    with _ledger:
        try:
            known = json.loads(LEDGER.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        if forget:
            known.pop(key, None)
        elif job:
            known[key] = job
        else:
            return str(known.get(key, ""))
        LEDGER.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(LEDGER, json.dumps(known))
        return job or ""


def measure(
    instance: str, options: argparse.Namespace, source: Path, stop: threading.Event, running: dict[str, str]
) -> list[Path]:
    """Rent `instance`, follow its sweep, keep its tables. Returns them. Raises UserError where it failed; what it had
    measured is kept then too.

    running: instance -> job, while it is followed. Once `stop` is set, nothing is rented any more, and no job followed:
    KeyboardInterrupt.
    """
    sweep = sweep_command(options)
    machine = rented(instance, options)
    key = hashlib.sha256(json.dumps([instance, sweep, options.region]).encode()).hexdigest()[:12]
    work = jobs.Work("bench", key, command=command(options), environment=HERE)
    session = jobs.session(machine)
    commit, dirty = provenance.git_commit()
    with jobs.spoken(machine):
        job = ledger(key)
        if job and not options.again:
            jobs.say(f"{instance}: taking up {job}")
        elif stop.is_set():
            raise KeyboardInterrupt
        else:
            job = ledger(key, jobs.start(work, machine, session, source))
            jobs.say(f"{instance}: started {job}")
        running[instance] = job
        found = jobs.follow(session, job, options.poll, lambda text: jobs.say(f"{instance}: {text}"), stop.wait)
        del running[instance]
        with tempfile.TemporaryDirectory() as folder:
            left = jobs.fetch(session, found, Path(folder))
            seconds = found.get("BillableTimeInSeconds") or found.get("TrainingTimeInSeconds")
            cloud = {"instance": instance, "job": job, "sweep": sweep, "spot": options.spot, "seconds": seconds}
            kept = keep(Path(folder) / "results", options.out, {"commit": commit, "dirty": dirty, "cloud": cloud})
        done = found["TrainingJobStatus"] == "Completed"
        if kept or not done:
            ledger(key, forget=True)
        if kept and done and not left:
            jobs.forget_checkpoints(session, found)
    if left:
        jobs.say(
            f"{instance}: not a table of this project, so it was left there: "
            f"{', '.join(left[:5])}{' …' * (len(left) > 5)}"
        )
    if done and not kept:
        raise UserError(
            f"{instance}: {job} completed, but left no table that could be kept; the same command looks there again, "
            "--again measures once more"
        )
    if not done:
        for line in found["Tail"]:
            jobs.say(f"{instance}:   {line}")
        raise UserError(
            f"{instance}: {job} {found['TrainingJobStatus'].lower()}: "
            f"{' '.join(found.get('FailureReason', 'no reason given').split())}; the "
            "same command goes on from what it had measured"
        )
    cost, there = prices.of(instance, session.boto_session.region_name)
    jobs.say(
        f"{instance}: {', '.join(path.name for path in kept)}"
        + (f"; cost {jobs.cost(found, cost)} in {there}" if cost else "")
    )
    return kept


def keep(source: Path, out: Path, extra: dict) -> list[Path]:
    """Put fetched tables that pass the check for contributed ones into `out`. Returns them. Raises UserError for
    one that does not pass.
    """
    from scripts.bench import contribute

    kept = []
    for path in sorted(source.glob("*.csv")):
        if not provenance.sidecar_path(path).exists():
            continue
        facts = provenance.read_sidecar(path)
        wrong = contribute.check(path) if path.name.startswith("benchmark-") and facts.get("complete") else []
        if wrong:
            raise UserError(f"{path.name}: came back, but {wrong[0]}; it was not kept")
        out.mkdir(parents=True, exist_ok=True)
        facts = {**facts, **extra} if not facts.get("commit") else {**facts, "cloud": extra["cloud"]}
        with _tables:
            kept.append(merge(path, out / path.name, facts))
    return kept


def merge(path: Path, target: Path, facts: dict) -> Path:
    """Put the rows of `path` into the table that `target` is, if there is one, as a sweep there would: row by row.
    Returns it, with its sidecar.

    Raises UserError where that table has other columns, or no sidecar.
    """
    if not target.exists():
        table = path.read_bytes().decode()
    else:
        before, rows, known = read_table(target), read_table(path), provenance.read_sidecar(target)
        if list(before.columns) != list(rows.columns):
            raise UserError(
                f"{target.name}: came back, but the table here has other columns; move that one away, then the same "
                "command keeps it"
            )
        key = ["model", *(["batch_asked"] if target.name.startswith("curve") else [])]
        key += ["round"] if "round" in rows else []
        old = before[~pd.MultiIndex.from_frame(before[key]).isin(pd.MultiIndex.from_frame(rows[key]))]
        table = pd.concat([old, rows])
        with contextlib.suppress(ValueError, KeyError):  # measured by another command than a sweep's
            also = [each for each in whole(known) if each != facts["cloud"]["sweep"]]
            facts = {**facts, "cloud": {**facts["cloud"], "also": also}}
        others = len(old) + facts.get("rows_of_other_runs", 0)
        facts = {**facts, "rows": len(old) + len(rows), "rows_of_other_runs": others}
    return provenance.write_pair(table, target, facts)


def dry_run(instances: list[str], options: argparse.Namespace, source: Path) -> None:
    """Print the requests and what they can cost. Sends nothing."""
    region, total, unsure = options.region or os.environ.get("AWS_DEFAULT_REGION", ""), 0.0, []
    for instance in instances:
        machine = rented(instance, options)
        work = jobs.Work("bench", "dry-run", command=command(options), environment=HERE)
        print(json.dumps(jobs.rehearse(work, machine, source, data=False), indent=2))
        cost, there = prices.of(instance, region)
        hours = options.max_run / 3600
        if cost is None or there != (region or there):
            unsure.append(instance)
        total += (cost or 0) * hours
        known = (
            f" at ${cost:g} ({there}): ${cost * hours:,.2f}" if cost else ": no price in scripts/cloud/cloud_prices.csv"
        )
        print(f"cost: {instance}, at most {hours:g} h{known}")
    print(
        f"cost: at most ${total:,.2f} in all"
        + (f", but no price{f' of {region}' * bool(region)} is known for {', '.join(unsure)}" if unsure else "")
    )


@cli
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    if options.limit < 1:
        raise UserError(f"--limit {options.limit}: give 1 or more")
    wanted = []
    for instance in dict.fromkeys(names(options.instance)):
        there = None if options.again else measured(instance, sweep_command(options), options.out)
        if there:
            print(f"{instance}: measured already, {there.name}; --again measures it once more", file=sys.stderr)
        else:
            wanted.append(instance)
    if not wanted:
        return 0
    jobs.into_cloud("scripts.cloud.bench", argv)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.tar.gz"
        cloud_files.pack("bench", source)
        if options.dry_run:
            dry_run(wanted, options, source)
            return 0
        stop, running = threading.Event(), {}
        with ThreadPoolExecutor(options.limit) as pool:
            try:
                futures = {each: pool.submit(measure, each, options, source, stop, running) for each in wanted}
                for instance, future in futures.items():
                    try:
                        future.result()
                    except UserError as error:
                        failed.append(instance)
                        print(f"error: {error}", file=sys.stderr)
            except KeyboardInterrupt:
                stop.set()
                pool.shutdown(cancel_futures=True)  # a job that is just being started is waited for: it is named below
                for instance, job in running.items():
                    print(
                        f"{instance}: stopped following; {job} goes on and costs: the same command takes it up again",
                        file=sys.stderr,
                    )
                return 130
    print(
        f"{len(wanted) - len(failed)} of {len(wanted)} measured; `make check-data` looks at the tables, git adds them",
        file=sys.stderr,
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
