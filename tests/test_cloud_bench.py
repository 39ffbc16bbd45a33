"""Benchmarks of rented machines against a moto server: the sweep that runs there, what comes back, and what is not
paid for twice.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile

import pandas as pd
import pytest

from scripts.bench import sweep
from scripts.bench.settings import Settings
from scripts.cloud import bench as bench_cloud, files as cloud_files, prices
from scripts.common import hardware, provenance
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from tests import cloud_server
from tests.cloud_server import ROLE

rented = pytest.mark.skipif(bool(cloud_server.skip_reason()), reason=cloud_server.skip_reason() or "installed")


def table(folder, slug="nvidia_a10g", name="NVIDIA A10G", complete=True, sha=None):
    """This machine's committed table as if a card called `slug` had made it, as the sweep on a rented machine
    leaves it: no commit in its sidecar.
    """
    source = sorted(DATA.glob("benchmark-infer-*-cpu1t-*.csv"))[0]
    about = hardware.parse_benchmark_name(source.name)
    folder.mkdir(parents=True, exist_ok=True)
    kind = (about["precision"], about["layout"], about["torch"])
    path = folder / hardware.benchmark_name("infer", *kind, "cu130", slug, False)
    path.write_bytes(source.read_bytes())
    facts = provenance.read_sidecar(source)
    command = "python -m scripts.bench.sweep --models quick --part infer --out results"
    card = {**facts["hardware"], "slug": slug, "name": name, "kind": "gpu", "driver": "1.2"}
    own = {"commit": "", "complete": complete, "command": command, "hardware": card}
    provenance.write_sidecar(path, {**facts, **own})
    return path


def run(cloud, tmp_path, instances, *more):
    own = ["--instance", instances, "--role", ROLE, "--out", tmp_path / "out"]
    own += "--models quick --bucket our-bucket --poll 0.05".split()
    return cloud.command(*own, *more, module="scripts.cloud.bench")


def leaves(cloud, tmp_path, cards):
    """Each job leaves the table of the card that its instance type stands for in `cards`."""

    def job(body):
        path = table(tmp_path / "made" / body["TrainingJobName"], cards[body["ResourceConfig"]["InstanceType"]])
        for each in (path, path.with_suffix(".json")):
            cloud.put(f"{body['CheckpointConfig']['S3Uri']}/results/{each.name}", each.read_bytes())

    cloud.on_create = job


@rented
def test_a_matrix_of_instances_comes_back_under_the_cards_names_and_is_paid_for_once(cloud, tmp_path):
    (tmp_path / "out").mkdir()
    leaves(cloud, tmp_path, {"ml.g5.xlarge": "nvidia_a10g", "ml.g4dn.xlarge": "tesla_t4"})
    answer = run(cloud, tmp_path, "ml.g5.xlarge,ml.g4dn.xlarge", "--spot")
    assert answer.code == 0, answer.err
    bodies = cloud.created()
    assert {body["ResourceConfig"]["InstanceType"] for body in bodies} == {"ml.g5.xlarge", "ml.g4dn.xlarge"}
    assert len({body["TrainingJobName"] for body in bodies}) == 2 and all(
        body["EnableManagedSpotTraining"] for body in bodies
    )
    scripts = [body.decode() for name, body in cloud.puts().items() if name.endswith("sm_train.sh")]
    assert all(
        "python -m scripts.bench.sweep --models quick --part infer --out /opt/ml/checkpoints/results" in script
        for script in scripts
    )
    assert all(body["Environment"]["BEST_IMAGE_MODELS_CACHE"] == "/opt/ml/checkpoints/cache" for body in bodies)
    names = sorted(path.name for path in (tmp_path / "out").glob("*.csv"))
    assert len(names) == 2 and "nvidia_a10g" in names[0] and "tesla_t4" in names[1]
    facts = provenance.read_sidecar(tmp_path / "out" / names[0])
    assert (
        facts["cloud"]["instance"] == "ml.g5.xlarge"
        and facts["commit"] == provenance.git_commit()[0]
        and facts["sha256"] == provenance.sha256(tmp_path / "out" / names[0])
    )
    cloud.requests.clear()
    again = run(cloud, tmp_path, "ml.g5.xlarge,ml.g4dn.xlarge")
    assert again.code == 0 and not cloud.created() and again.err.count("measured already") == 2
    assert run(cloud, tmp_path, "ml.g5.xlarge", "--again").code == 0 and len(cloud.created()) == 1


@rented
def test_one_that_fails_does_not_take_the_others_with_it_and_what_it_measured_is_kept(cloud, tmp_path):
    (tmp_path / "out").mkdir()
    leaves(cloud, tmp_path, {"ml.g5.xlarge": "nvidia_a10g", "ml.g6.xlarge": "nvidia_l4x"})
    cloud.lives = [
        {"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed", "FailureReason": "AlgorithmError: no GPU"}
    ]
    answer = run(cloud, tmp_path, "ml.g5.xlarge,ml.g6.xlarge", "--limit", "1")
    assert (
        answer.code == 1
        and answer.err.count("error: ") == 2
        and "AlgorithmError: no GPU" in answer.err
        and "Traceback" not in answer.err
    )
    assert len(list((tmp_path / "out").glob("*.csv"))) == 2


@rented
def test_a_dry_run_adds_up_the_cost(cloud, tmp_path):
    answer = run(cloud, tmp_path, "ml.g5.xlarge,ml.g4dn.xlarge", "--dry_run", "--max_run", "7200")
    assert answer.code == 0 and not cloud.requests, answer.err
    table_ = prices.load().set_index("instance")["usd_per_hour"]
    assert f"at most ${2 * (table_['ml.g5.xlarge'] + table_['ml.g4dn.xlarge']):,.2f} in all" in answer.out


@rented
def test_a_job_whose_tables_were_not_kept_loses_nothing_and_is_looked_at_again(cloud, tmp_path):
    (tmp_path / "out").mkdir()
    cloud.on_create = lambda body: cloud.put(f"{body['CheckpointConfig']['S3Uri']}/results/odd.csv", b"a\n1\n")
    for _ in range(2):
        answer = run(cloud, tmp_path, "ml.g5.xlarge", "--", "--seconds", "9")
        assert (
            answer.code == 1
            and "left no table that could be kept" in answer.err
            and "left there: odd.csv" in answer.err
        )
    assert len(cloud.created()) == 1 and not [name for name, _ in cloud.requests if "delete" in name]


@rented
def test_ctrl_c_rents_nothing_more_and_names_what_goes_on(cloud, tmp_path):
    (tmp_path / "out").mkdir()
    cloud.lives = [{"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}]
    sent: list[bool] = []

    def interrupt() -> None:  # once, when it follows the job: a second Ctrl-C ends it without a word
        if not sent:
            sent.append(True)
            os.kill(cloud.worker.pid, signal.SIGINT)

    cloud.on_describe = interrupt
    answer = run(cloud, tmp_path, "ml.g5.xlarge,ml.g4dn.xlarge", "--limit", "1")
    (job,) = (body["TrainingJobName"] for body in cloud.created())
    assert (
        answer.code == 130
        and f"ml.g5.xlarge: stopped following; {job} goes on and costs" in answer.err
        and "Traceback" not in answer.err
    )
    leaves(cloud, tmp_path, {"ml.g4dn.xlarge": "tesla_t4"})
    cloud.lives = []
    assert f"taking up {job}" in run(cloud, tmp_path, "ml.g5.xlarge,ml.g4dn.xlarge").err


def test_every_name_that_a_sweep_writes_may_come_back():
    machine = {"torch": "2.10.0+cu130", "platform": "cu130", "slug": "nvidia_a10g"}
    for batch, size, graph, compiled, curve, repeat in itertools.product(
        (None, 8), (None, 256), (False, True), ("", "default"), (False, True), (1, 3)
    ):
        settings = Settings(device="cuda", batch=batch, img_size=size, cuda_graph=graph, compile_mode=compiled)
        name = sweep.file_name(settings, machine, curve, repeat)
        assert cloud_files.TABLE.fullmatch(name), name
    assert not cloud_files.TABLE.fullmatch("benchmark/../x.csv") and not cloud_files.TABLE.fullmatch(
        "benchmarkpx-a.csv"
    )
    assert cloud_files.NETWORK.fullmatch(
        "shapes-levit_256.fb_dist_in1k-0/config.json"
    ) and not cloud_files.NETWORK.fullmatch("../config.json")


def part(path, rows, command, **cloud):
    """Some rows of a table, as a sweep of these models alone leaves it."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).iloc[rows]
    frame.to_csv(path, index=False, lineterminator="\n")
    own = {"rows": len(frame), "rows_of_other_runs": 0, "command": f"python -m scripts.bench.sweep {command}"}
    provenance.write_sidecar(path, {**provenance.read_sidecar(path), **own})
    machine = {"instance": "ml.g5.xlarge", "sweep": command.split(), **cloud}
    return {"commit": "c" * 40, "dirty": False, "cloud": machine}


def test_a_second_sweep_of_a_card_joins_the_first_ones_table(tmp_path):
    first, second, out = table(tmp_path / "1"), table(tmp_path / "2"), tmp_path / "out"
    everything = pd.read_csv(first, dtype=str, keep_default_na=False)
    bench_cloud.keep(first.parent, out, part(first, slice(0, 6), "--models a"))
    mend = part(second, slice(4, None), "--models b")
    (kept,) = bench_cloud.keep(second.parent, out, mend)
    frame, facts = pd.read_csv(kept, dtype=str, keep_default_na=False), provenance.read_sidecar(kept)
    assert frame.equals(everything) and facts["rows"] == len(everything) and facts["rows_of_other_runs"] == 4
    assert facts["sha256"] == provenance.sha256(kept)
    for sweep_ in (["--models", "a"], ["--models", "b"]):
        assert bench_cloud.measured("ml.g5.xlarge", sweep_, out) == kept
    provenance.write_sidecar(
        second, {**provenance.read_sidecar(second), "complete": False}
    )  # measured once more, and failed halfway
    bench_cloud.keep(second.parent, out, mend)
    assert (
        len(pd.read_csv(kept)) == len(everything)
        and bench_cloud.measured("ml.g5.xlarge", ["--models", "a"], out) == kept
    )
    kept.write_text(kept.read_text().replace("status", "state", 1))
    with pytest.raises(UserError, match="other columns"):
        bench_cloud.keep(second.parent, out, mend)


def test_a_price_is_of_the_region_or_says_of_which(monkeypatch, tmp_path, capsys):
    rows = [("a", 1.0, "us-east-1"), ("a", 2.0, "eu-central-1"), ("b", 3.0, "us-east-1")]
    made = pd.DataFrame(rows, columns=["instance", "usd_per_hour", "region"])
    assert (
        prices.of("a", "eu-central-1", made) == (2.0, "eu-central-1")
        and prices.of("b", "eu-central-1", made) == (3.0, "us-east-1")
        and prices.of("c", "", made) == (None, "")
    )
    monkeypatch.setattr(bench_cloud.prices, "load", lambda: made)
    monkeypatch.setattr(bench_cloud.jobs, "rehearse", lambda *given, **more: {})
    monkeypatch.setattr(bench_cloud.jobs.Machine, "check", lambda machine: None)
    given = bench_cloud.parser().parse_args("--instance a,b --region eu-central-1 --max_run 3600".split())
    bench_cloud.dry_run(["a", "b"], given, tmp_path)
    said = capsys.readouterr().out
    assert "$2 (eu-central-1): $2.00" in said and "$5.00 in all, but no price of eu-central-1 is known for b" in said


def test_the_packed_sweep_is_complete(tmp_path):
    """Unpacked elsewhere it knows its sets of models, which takes what they are named after."""
    cloud_files.pack("bench", tmp_path / "source.tar.gz")
    with tarfile.open(tmp_path / "source.tar.gz") as tar:
        tar.extractall(tmp_path / "code", filter="data")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench.sweep", "--models", "key", "--list"],
        cwd=tmp_path / "code",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", "BEST_IMAGE_MODELS_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0 and "resnet50" in done.stdout.splitlines(), done.stderr[-1500:]


def test_a_table_that_is_impossible_is_not_kept(tmp_path):
    path = table(tmp_path / "in")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[0, "infer_samples_per_sec"] = "1e9"
    frame.to_csv(path, index=False, lineterminator="\n")
    provenance.write_sidecar(path, provenance.read_sidecar(path))
    with pytest.raises(UserError, match="came back, but .*not kept"):
        bench_cloud.keep(path.parent, tmp_path / "out", {"cloud": {}})
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_a_card_that_was_measured_elsewhere_counts_by_the_same_sweep_only(tmp_path):
    path = table(tmp_path, slug="a10g")
    facts = json.loads(path.with_suffix(".json").read_text())
    provenance.write_sidecar(path, {**facts, "command": "python -m scripts.bench.sweep --models quick --part infer"})
    sweep = ["--models", "quick", "--part", "infer"]
    assert bench_cloud.measured("ml.g5.xlarge", sweep, tmp_path) == path
    assert bench_cloud.measured("ml.g4dn.xlarge", sweep, tmp_path) is None  # another card
    assert bench_cloud.measured("ml.g5.xlarge", ["--models", "key", "--part", "infer"], tmp_path) is None
    provenance.write_sidecar(path, {**facts, "complete": False})
    assert bench_cloud.measured("ml.g5.xlarge", sweep, tmp_path) is None  # half a table
    (tmp_path / "broken.json").write_text("{")
    assert bench_cloud.measured("ml.g5.xlarge", sweep, tmp_path) is None


def test_images_per_dollar_by_the_cheapest_instance_with_one_card():
    table_ = prices.load()
    assert (
        set(table_.columns) == {"instance", "card", "gpus", "usd_per_hour", "region", "date", "source"}
        and (table_["usd_per_hour"] > 0).all()
    )
    assert table_["date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    rows = [("a", "x", 1, 2.0), ("b", "x", 1, 1.0), ("c", "y", 4, 1.0)]
    made = pd.DataFrame(rows, columns=["instance", "card", "gpus", "usd_per_hour"]).assign(date="2026-01-01")
    speeds = pd.DataFrame({"hardware": ["x", "y", "z"], "model": "m", "samples_per_sec": 10.0})
    found = prices.per_dollar(speeds, made)
    # y comes by fours only, z is not for rent
    assert list(found["instance"]) == ["b"] and found["images_per_usd"][0] == 36_000


def test_options_that_cannot_be(capsys):
    assert (
        bench_cloud.main(["--instance", "ml.g5.xlarge", "--limit", "0"]) == 2 and "--limit 0" in capsys.readouterr().err
    )
