"""Measure hardware one doesn't own: run the sweep on rented machines and bring back its tables under the cards' names, ready to commit.

    python -m scripts.bench.cloud --instance ml.g5.xlarge,ml.g4dn.xlarge --models key --dry_run      # the requests and what they can cost
    python -m scripts.bench.cloud --instance ml.g5.xlarge,ml.g4dn.xlarge --models key                # two at a time (--limit)
    python -m scripts.bench.cloud --instance ml.g5.xlarge --models key -- --precision bf16 --compile # what follows -- is for the sweep

What has been measured is not paid for twice: an instance whose table is there, or a card that has been measured by the same sweep, is left
out (--again measures it all the same), and a job that was started by an interrupted command is taken up again. A table that comes back is
checked as a contributed one is (make check-data) before it is kept. Needs `make cloud` and an AWS account; prices: scripts/bench/cloud_prices.csv.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.bench import prices
from scripts.common import cloud_files, cloud_jobs as jobs, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import CACHE, DATA, atomic_write

RESULTS = f"{jobs.CHECKPOINTS}/results"                                   # kept through an interruption, with the sweep's journal
HERE = {"BEST_IMAGE_MODELS_CACHE": f"{jobs.CHECKPOINTS}/cache"}
LEDGER = CACHE / "cloud" / "jobs.json"  # sweep on an instance -> job that was started
_ledger = threading.Lock()


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    options.add_argument("--instance", required=True, help="instance types, comma-separated")
    options.add_argument("--models", default="key", help="sets or names, comma-separated, as for scripts.bench.sweep (default: key)")
    options.add_argument("--part", choices=("infer", "train"), default="infer")
    options.add_argument("--limit", type=int, default=2, help="machines rented at once (default: 2)")
    options.add_argument("--again", action="store_true", help="measure what has been measured")
    options.add_argument("--spot", action="store_true", help="spare capacity; a sweep that is interrupted goes on where it was")
    options.add_argument("--max_run", type=int, default=3 * 3600, help="seconds after which a machine is given back (default: 3 hours)")
    for name, text in (("role", "ARN or name of the role the jobs run as"), ("region", "default: that of your AWS configuration"),
                       ("bucket", "default: SageMaker's own of the account"), ("pytorch", "version of SageMaker's image (default: the newest)")):
        options.add_argument(f"--{name}", default="", help=text)
    options.add_argument("--dry_run", action="store_true", help="print the requests and what they can cost; nothing is sent")
    options.add_argument("--poll", type=float, default=15.0, help="seconds between two looks at a job")
    options.add_argument("--out", type=Path, default=DATA, help="folder for the tables")
    options.add_argument("sweep", nargs="*", help="after --: options for scripts.bench.sweep")
    return options


def sweep_command(options: argparse.Namespace) -> list[str]:
    """The sweep's arguments, the same for every instance."""
    return ["--models", *(name.strip() for name in options.models.split(",") if name.strip()), "--part", options.part, *options.sweep]


def command(options: argparse.Namespace) -> str:
    """What runs on the machine."""
    return f"mkdir -p {RESULTS} && {shlex.join(['python', '-m', 'scripts.bench.sweep', *sweep_command(options), '--out', RESULTS])}"


def measured(instance: str, sweep: list[str], folder: Path) -> Path | None:
    """The complete table that this very sweep has left already: on that instance, or on any machine with its card. None where there is none."""
    table = prices.load()
    cards = set(table.loc[table["instance"] == instance, "card"])
    for sidecar in sorted(folder.glob("*.json")):
        try:
            facts = json.loads(sidecar.read_text())
        except (OSError, ValueError):
            continue
        if not isinstance(facts, dict) or not facts.get("complete") or "scripts.bench.sweep" not in str(facts.get("command")):
            continue
        there = facts.get("cloud") or {}
        said = shlex.split(facts["command"])
        same = there.get("sweep") == sweep or said[said.index("scripts.bench.sweep") + 1:] == sweep
        if same and (there.get("instance") == instance or facts.get("hardware", {}).get("slug") in cards):
            return sidecar.with_suffix(".csv")
    return None


def ledger(key: str, job: str | None = None, forget: bool = False) -> str:
    """The job that was started for `key`, '' where there is none; sets or forgets it."""
    with _ledger:
        try:
            known = json.loads(LEDGER.read_text())
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


def price(instance: str) -> float | None:
    table = prices.load()
    found = table.loc[table["instance"] == instance, "usd_per_hour"]
    return float(found.iloc[0]) if len(found) else None


def measure(instance: str, options: argparse.Namespace, source: Path) -> list[Path]:
    """Rent `instance`, follow its sweep, keep its tables. Returns them. Raises UserError where it failed; what it had measured is kept then too."""
    sweep = sweep_command(options)
    machine = jobs.Machine(instance, spot=options.spot, max_run=options.max_run, region=options.region, role=options.role, bucket=options.bucket,
                           pytorch=options.pytorch)
    machine.check()
    key = hashlib.sha256(json.dumps([instance, sweep, options.region]).encode()).hexdigest()[:12]
    work = jobs.Work("bench", key, command=command(options), environment=HERE)
    session = jobs.session(machine)
    commit, dirty = provenance.git_commit()
    with jobs.spoken(machine):
        job = ledger(key)
        if job and not options.again:
            jobs.say(f"{instance}: taking up {job}")
        else:
            job = ledger(key, jobs.start(work, machine, session, source))
            jobs.say(f"{instance}: started {job}")
        found = jobs.follow(session, job, options.poll, lambda text: jobs.say(f"{instance}: {text}"))
        with tempfile.TemporaryDirectory() as folder:
            jobs.fetch(session, found, Path(folder))
            extra = {"commit": commit, "dirty": dirty, "cloud": {"instance": instance, "job": job, "sweep": sweep, "spot": options.spot,
                                                                "seconds": found.get("BillableTimeInSeconds") or found.get("TrainingTimeInSeconds")}}
            kept = keep(Path(folder) / "results", options.out, extra)
        ledger(key, forget=True)
        if found["TrainingJobStatus"] == "Completed":
            jobs.forget_checkpoints(session, found)
    if found["TrainingJobStatus"] != "Completed" or not kept:
        for line in found["Tail"]:
            jobs.say(f"{instance}:   {line}")
        raise UserError(f"{instance}: {job} {found['TrainingJobStatus'].lower()}: {' '.join(found.get('FailureReason', 'it left no table').split())}; the "
                        "same command goes on from what it had measured")
    cost = price(instance)
    jobs.say(f"{instance}: {', '.join(path.name for path in kept)}" + (f"; cost {jobs.cost(found, cost)}" if cost else ""))
    return kept


def keep(source: Path, out: Path, extra: dict) -> list[Path]:
    """Put fetched tables that pass the check for contributed ones into `out`. Returns them. Raises UserError for one that does not pass."""
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
        atomic_write(out / path.name, path.read_bytes())
        facts = {**facts, **extra} if not facts.get("commit") else {**facts, "cloud": extra["cloud"]}
        provenance.write_sidecar(out / path.name, facts)
        kept.append(out / path.name)
    return kept


def dry_run(instances: list[str], options: argparse.Namespace, source: Path) -> None:
    total = 0.0
    for instance in instances:
        machine = jobs.Machine(instance, spot=options.spot, max_run=options.max_run, region=options.region, role=options.role, bucket=options.bucket,
                               pytorch=options.pytorch)
        machine.check()
        work = jobs.Work("bench", "dry-run", command=command(options), environment=HERE)
        print(json.dumps(jobs.rehearse(work, machine, source, data=False), indent=2))
        cost, hours = price(instance), options.max_run / 3600
        total += (cost or 0) * hours
        print(f"cost: {instance}, at most {hours:g} h" + (f" at ${cost:g}: ${cost * hours:,.2f}" if cost else ": no price in scripts/bench/cloud_prices.csv"))
    print(f"cost: at most ${total:,.2f} in all")


@cli
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    if options.limit < 1:
        raise UserError(f"--limit {options.limit}: give 1 or more")
    asked = list(dict.fromkeys(name.strip() for name in options.instance.split(",") if name.strip()))
    wanted = []
    for instance in asked:
        there = None if options.again else measured(instance, sweep_command(options), options.out)
        if there:
            print(f"{instance}: measured already, {there.name}; --again measures it once more", file=sys.stderr)
        else:
            wanted.append(instance)
    if not wanted:
        return 0
    jobs.into_cloud("scripts.bench.cloud", argv)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.tar.gz"
        cloud_files.pack("bench", source)
        if options.dry_run:
            dry_run(wanted, options, source)
            return 0
        with ThreadPoolExecutor(options.limit) as pool:
            for instance, future in [(each, pool.submit(measure, each, options, source)) for each in wanted]:
                try:
                    future.result()
                except UserError as error:
                    failed.append(instance)
                    print(f"error: {error}", file=sys.stderr)
    print(f"{len(wanted) - len(failed)} of {len(wanted)} measured; `make check-data` looks at the tables, git adds them", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
