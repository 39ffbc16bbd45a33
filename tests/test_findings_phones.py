"""The claims on a phone: against the raw descriptions by another way, and on tables changed so that a verdict turns."""

import functools
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from scripts.choose import files, rules
from scripts.common.frontier import on_frontier
from scripts.data import public, qualcomm, read_data
from scripts.findings import fields, phone_tables, phones, verdicts
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA
from tests.test_findings_verdicts import judge

REAL = Path(os.environ.get("TABLES", "") or Path(__file__).resolve().parents[2] / "shared" / "public-tables")
needs_tables = pytest.mark.skipif(not (REAL / qualcomm.SOURCE).is_dir(), reason="the public tables are not here")


@pytest.fixture
def table():
    return phone_tables.for_claims()[0]


def read(path):
    """The reader's fast loader; what is in the file is taken apart here by another way."""
    return yaml.load(path.read_text(), Loader=qualcomm.LOADER)


@functools.lru_cache(maxsize=1)
def raw():
    """(ms, top-1) of each network's fastest runtime on the phone, as floats and quantised, straight from the YAML."""
    found = {}
    for folder in sorted((REAL / qualcomm.SOURCE).iterdir()):
        if not (folder / "perf.yaml").exists():
            continue
        perf = read(folder / "perf.yaml")["precisions"]
        scores = {}
        for metric in read(folder / "numerics.yaml")["metrics"] if (folder / "numerics.yaml").exists() else ():
            if metric["metric_name"] == "Classification Accuracy":
                scores = metric["device_metric"].get(phones.PHONE, {})
        jobs = [
            (job["inference_time_milliseconds"], precision, runtime)
            for precision, about in perf.items()
            for part in about["components"].values()
            for runtime, job in (part.get("performance_metrics", {}).get(phones.PHONE) or {}).items()
            if job["job_status"] == "Passed"
        ]
        best = []
        for some in (lambda p: p == "float", lambda p: p in phones.QUANTISED):
            if own := [job for job in jobs if some(job[1])]:
                ms, precision, runtime = min(own)
                top1 = scores.get(precision, {}).get(runtime, {}).get("partial_metric")
                if top1 is not None:
                    best.append((ms, top1))
        if best:
            found[folder.name] = min(best)
    return found


@needs_tables
def test_levit_on_the_phone_a_second_time():
    """Behind a faster network by more points than 1,000 pictures leave open."""
    points = raw()
    ms, top1 = points["levit"]
    rival = max(other for name, (time, other) in points.items() if name != "levit" and time <= ms)
    doubt = 2 * np.sqrt(top1 * (100 - top1) / 1000 + rival * (100 - rival) / 1000)
    said = (
        verdicts.load().query("claim == 'levit_fastest' and vintage == 'qualcomm' and hardware == 'galaxy_s25'").iloc[0]
    )
    assert said["estimate"] == pytest.approx(top1 - rival) and said["verdict"] == FAILS
    assert said["high"] == pytest.approx(top1 - rival + doubt, abs=0.3) and doubt > 3, "wide, for 1,000 pictures"


@needs_tables
def test_parameters_on_the_phone_a_second_time():
    points, params = raw(), {}
    for name in points:
        told = read(REAL / qualcomm.SOURCE / name / "info.yaml")["technical_details"]
        found = re.match(r"([\d.]+)M", str(told.get("Number of parameters", "")))
        params[name] = float(found[1]) if found else np.nan
    both = pd.DataFrame({"ms": {name: ms for name, (ms, _) in points.items()}, "params": params}).dropna()
    said = verdicts.load().query("claim == 'parameters' and vintage == 'qualcomm' and hardware == 'galaxy_s25'").iloc[0]
    assert said["estimate"] == pytest.approx(both["ms"].corr(both["params"], method="spearman"), abs=0.02)
    assert said["low"] < said["estimate"] < said["high"] and said["high"] - said["low"] > 0.15


def test_a_levit_that_is_more_accurate_on_the_phone_turns_its_verdict(table):
    assert judge("levit_fastest", table).verdict == FAILS
    better = table.assign(top1=table["top1"].mask(table["family"] == "levit", 95.0))
    found = judge("levit_fastest", better)
    assert found.verdict == NO_DATA and "too few" in found.evidence, "a lead over 34 networks is no lead"
    few = table.assign(pictures=40)  # and on fewer pictures the same difference tells nothing
    assert judge("levit_fastest", few).verdict == NO_DATA


def test_the_pictures_that_accuracies_rest_on_decide_how_wide_an_interval_is(table):
    narrow, wide = (judge("levit_fastest", table.assign(pictures=n)) for n in (50_000, 1_000))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low) and narrow.estimate == wide.estimate


def test_parameters_that_decide_speed_on_the_phone_turn_that_verdict(table):
    order = table.sort_values("param_count").assign(samples_per_sec=np.linspace(5000, 50, len(table)))
    assert judge("parameters", order).verdict == FAILS
    mixed = table.assign(param_count=np.random.default_rng(0).permutation(table["param_count"]))
    assert judge("parameters", mixed).verdict == HOLDS and judge("parameters", table).verdict == CONDITIONAL


def test_the_picker_and_the_explorer_have_the_phone_as_a_class_of_its_own():
    (key, rows), *_ = fields.phone().items()
    data = files.picker_data({key: rows}, {})
    one = data["models"]["machines"][0]
    assert (one["key"], one["kind"], one["name"]) == ("galaxy_s25", "phone", phones.PHONE)
    assert one["latency"] and "Qualcomm" in one["source"] and public.source(qualcomm.SOURCE).date in one["source"]
    speeds = [speed for speed in data[key]["speed"] if speed is not None]
    committed = pd.read_csv(phones.DATA / "phones.csv").dropna(subset=["arch"])
    assert max(speeds) <= round(1000 / committed["float_ms"].min(), 1) + 1
    fit = rules.pick(rules.complete(rows.dropna(subset=["top1"])), rules.Needs(max_latency=1.0))
    assert (fit.rows["latency_ms"] <= 1).all() and on_frontier(fit.rows).all()


def test_without_its_table_there_is_no_phone(tmp_path, moved):
    moved(DATA=tmp_path)
    assert phone_tables.for_claims() == [] and fields.phone() == {}
    (tmp_path / "phones.csv").write_text("<html>\n")
    assert phone_tables.for_claims() == [] and fields.phone() == {}


def test_findings_on_the_phone_stay_in_their_place():
    frame = verdicts.load()
    order = list(dict.fromkeys(frame[frame["hardware"] != ""]["vintage"]))
    assert order == [*read_data.VINTAGES, phone_tables.VINTAGE, "measured"]
