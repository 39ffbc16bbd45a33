"""Verdicts: against independent computations on the real tables, and on small tables made to break them."""

from __future__ import annotations

import csv
import statistics

import numpy as np
import pandas as pd
import pytest

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.provenance import Source, carry
from scripts.common.uncertainty import spearman, top1_se, top1_uncertainty
from scripts.data import read_data
from scripts.data.pretraining import pretraining
from scripts.findings import claims, claims_families, claims_speed, fields, robustness, verdicts
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA, Tables

EAGER_OF_THE_NEWEST = (
    "benchmark-infer-amp-nchw-pt291-cu128-4090.csv",
    "benchmark-infer-amp-nchw-pt291-cu130-5090.csv",
    "benchmark-infer-amp-nchw-pt291-cu130-pro6000maxq.csv",
)

LEVIT = ("levit_256.fb_dist_in1k", 224, 81.0, 9000, 19.0)  # ahead of all that `field` has


def table(
    rows, part="infer", hardware="rtx5090", compiled=False, precision="amp", torch="2.9.1", vintage=read_data.NOW
) -> pd.DataFrame:
    """A tidy table from (model, size, top1, images/s, parameters) tuples."""
    frame = pd.DataFrame(rows, columns=["model", "img_size", "top1", "samples_per_sec", "param_count"])
    arch = frame["model"].str.partition(".")[0]
    date = "2022-03-29" if vintage == read_data.THEN else "2026-01-06"
    speeds = Source(f"timm-results/{hardware}.csv", "1", date, setting=hardware)
    frame = frame.assign(
        arch=arch,
        tag=frame["model"].str.partition(".")[2],
        family=arch.map(families.family),
        kind=arch.map(families.kind),
        pretrain=frame["model"].map(pretraining),
        top5=99.0,
        gmacs=np.nan,
        macts=np.nan,
        part=part,
        secs=1 / frame["samples_per_sec"],
        batch_size=pd.array([256] * len(frame), "Int64"),
        hardware=hardware,
        precision=precision,
        layout="nchw",
        compiled=compiled,
        torch=torch,
        vintage=vintage,
        date=date,
        file=f"{hardware}.csv",
    )[read_data.TIDY]
    carry(frame, speeds, Source("timm-results/r.csv", "2", date))
    return frame


def field(*special, **about) -> pd.DataFrame:
    """`special` rows among twelve plain ResNets, slower and more accurate step by step: 65% at 12,800 images/s to
    76% at 6.25.
    """
    plain = [(f"resnet50.v{i}_in1k", 224 + i, 65.0 + i, 12800 / 2**i, 10.0 + 3 * i) for i in range(12)]
    return table([*plain, *special], **about)


def judge(key: str, frame: pd.DataFrame, *others: pd.DataFrame):
    claim = next(claim for claim in verdicts.CLAIMS if claim.key == key)
    return verdicts.judge(claim, frame, Tables([frame, *others]))[0]


# ---- the judges on small tables


def test_levit_ahead_of_everything_holds_and_behind_fails():
    ahead = judge("levit_fastest", field(LEVIT))
    assert ahead.verdict == HOLDS and ahead.estimate == pytest.approx(81.0 - 65.0) and "1 of 1" in ahead.evidence
    assert ahead.estimate - ahead.low == pytest.approx(top1_uncertainty(81.0, 65.0)) and not ahead.tie
    behind = judge("levit_fastest", field(("levit_256.fb_dist_in1k", 224, 70.0, 100, 19.0)))
    assert behind.verdict == FAILS and behind.high < 0 and "resnet50" in behind.evidence


def test_the_size_that_loses_is_shown_not_one_that_wins():
    found = judge("levit_fastest", field(LEVIT, ("levit_384.fb_dist_in1k", 224, 70.0, 100, 39.0)))
    assert found.verdict == CONDITIONAL and found.high < 0 and "levit_384" in found.evidence and not found.tie


def test_a_lead_within_its_uncertainty_is_a_tie_and_says_what_it_hangs_on():
    close = judge("levit_fastest", field(("levit_256.fb_dist_in1k", 224, 65.2, 9000, 19.0)))
    assert close.verdict == CONDITIONAL and close.tie and "tie" in close.evidence and close.low < 0 < close.estimate
    assert close.paired == HOLDS and "wrong on the same pictures" in close.evidence
    # behind by as little is a tie, too
    behind = judge("levit_fastest", field(("levit_256.fb_dist_in1k", 224, 64.8, 9000, 19.0)))
    assert behind.verdict == CONDITIONAL and behind.tie and behind.paired == FAILS
    # clear in points, but a more accurate rival is slower by less than timings vary: no error of accuracy helps
    near = judge("levit_fastest", field(LEVIT, ("vgg16.tv_in1k", 224, 82.0, 8950, 138.0)))
    assert near.verdict == CONDITIONAL and near.tie and not near.paired


@pytest.mark.parametrize(
    "low, high, holds, fails, expected",
    [
        (0.1, 0.5, 0, 0, (HOLDS, False)),
        (-0.5, -0.1, 0, 0, (FAILS, False)),
        (-0.1, 0.5, 0, 0, (CONDITIONAL, True)),
        (0.75, 0.85, 0.9, 0.7, (CONDITIONAL, False)),
        (0.75, 0.95, 0.9, 0.7, (CONDITIONAL, True)),
        (0.65, 0.75, 0.9, 0.7, (CONDITIONAL, True)),
        (0.91, 0.95, 0.7, 0.9, (FAILS, False)),  # less is claimed
        (0.5, 0.6, 0.7, 0.9, (HOLDS, False)),
        (float("-inf"), float("inf"), 0, 0, (CONDITIONAL, True)),
    ],
)
def test_one_rule_for_all_verdicts(low, high, holds, fails, expected):
    assert claims.decide(low, high, holds, fails) == expected


def test_the_same_levit_written_twice_counts_once():
    found = judge("levit_fastest", field(LEVIT, ("levit_conv_256.fb_dist_in1k", 224, 81.0, 9100, 19.0)))
    assert "1 of 1" in found.evidence


def test_convnext_that_leads_only_with_more_data_is_conditional():
    with_data = field(
        ("convnext_tiny.fb_in22k_ft_in1k", 224, 83.0, 400, 28.6), ("convnext_nano.in1k", 224, 60.0, 420, 15.0)
    )
    without = field(("convnext_tiny.fb_in1k", 224, 83.0, 400, 28.6))
    none = field(("convnext_tiny.fb_in22k_ft_in1k", 224, 60.0, 400, 28.6))
    apart = field(("convnext_tiny.fb_in1k", 224, 90.0, 3, 28.6), ("convnext_nano.in1k", 224, 60.0, 420, 15.0))
    only = field(("convnext_tiny.fb_in22k_ft_in1k", 224, 83.0, 400, 28.6))
    found = [judge("convnext_middle", frame) for frame in (with_data, without, none, apart, only)]
    assert [one.verdict for one in found] == [CONDITIONAL, HOLDS, FAILS, FAILS, CONDITIONAL]
    assert found[0].estimate < 0 and found[0].models[0] == "convnext_nano.in1k", "the lead that decides is shown"
    assert "none of those timed was pretrained on ImageNet-1k only" in found[4].evidence


@pytest.mark.parametrize("top1, expected", [(80.0, HOLDS), (76.1, CONDITIONAL), (70.0, FAILS)])
def test_beit_among_the_slow(top1, expected):
    found = judge("beit_slow", field(("beit_large_patch16_224.in22k_ft_in22k_in1k", 224, top1, 6.0, 304.0)))
    assert found.verdict == expected


def test_a_family_that_is_not_there_is_no_data_never_holds():
    frame = field()
    for key in ("levit_fastest", "convnext_middle", "beit_slow", "vgg"):
        assert judge(key, frame).verdict == NO_DATA, key
    assert judge("pretraining", frame).verdict == NO_DATA


@pytest.mark.parametrize("column", ["top1", "samples_per_sec", "param_count", "pretrain", "family"])
def test_a_column_that_is_not_there_is_no_data(column):
    frame = field(LEVIT).drop(columns=column)
    keys = {"param_count": ["parameters", "vgg"], "pretrain": ["pretraining"], "family": ["levit_fastest", "beit_slow"]}
    for key in keys.get(column, ["levit_fastest"]):
        assert judge(key, frame).verdict == NO_DATA, key


def test_too_few_models_or_none_with_accuracy_is_no_data():
    few = field(LEVIT).tail(4)
    assert judge("levit_fastest", few).verdict == NO_DATA
    blind = field(LEVIT).assign(top1=np.nan)
    assert judge("levit_fastest", blind).verdict == NO_DATA and judge("parameters", blind).verdict != NO_DATA


def test_training_needs_an_inference_table_of_the_same_torch():
    train, same, other = field(part="train"), field(), field(torch="2.4.0")
    assert judge("training", train, same).verdict == HOLDS
    assert judge("training", train, other).verdict == NO_DATA
    shuffled = same.assign(samples_per_sec=same["samples_per_sec"].sample(frac=1, random_state=3).to_numpy())
    assert judge("training", train, shuffled).verdict == FAILS


def upset(frame: pd.DataFrame, seed: int, **about) -> pd.DataFrame:
    """`frame` with its networks' speeds dealt anew."""
    speeds = frame["samples_per_sec"].sample(frac=1, random_state=seed).to_numpy()
    return frame.assign(samples_per_sec=speeds, **about)


def test_compiling_is_compared_with_what_a_newer_torch_does():
    rows = [(f"{arch}.in1k", 224, 60.0 + i, 5000.0 / 1.5**i, 20.0) for i, arch in enumerate(DOZEN)]
    old, eager = table(rows, torch="2.4.0"), table(rows)
    same = eager.assign(compiled=True, samples_per_sec=eager["samples_per_sec"] * 2)
    assert judge("compiling", same).verdict == NO_DATA and judge("compiling", same, eager).verdict == NO_DATA
    calm = judge("compiling", same, eager, old)
    assert calm.verdict == CONDITIONAL and calm.tie
    assert "by a newer torch alone 0 of 12 (RTX 5090, 2.4.0 to 2.9.1)" in (calm.evidence)
    turned = same.assign(samples_per_sec=np.where(same["top1"] == same["top1"].max(), 1e6, same["samples_per_sec"]))
    found = judge("compiling", turned, eager, old)
    assert found.verdict == HOLDS and "11 of 12" in found.evidence
    # the same upset by a newer torch alone: then the compiler changes no more
    before = old.assign(samples_per_sec=np.where(old["top1"] == old["top1"].max(), 1e-3, old["samples_per_sec"]))
    after = eager.assign(samples_per_sec=np.where(eager["top1"] == eager["top1"].max(), 1e6, eager["samples_per_sec"]))
    compiled = after.assign(compiled=True)
    assert judge("compiling", compiled, after, before).verdict == FAILS


DOZEN = (
    "resnet50 vit_base_patch16_224 regnety_032 densenet121 efficientnet_b0 convnext_tiny swin_tiny_patch4_window7_224 "
    "hrnet_w18 levit_128 mobilenetv3_large_100 dla34 vgg16"
).split()


def nets(
    kinds=("resnet50", "regnety_032", "densenet121", "vgg16"), others=("vit_tiny_patch16_224", "deit_tiny_patch16_224")
):
    """Convnets and transformers of several families, sizes and multiply-adds, equally fast per multiply-add."""
    rows, gmacs = [], []
    for arch in (*kinds, *others, "swin_tiny_patch4_window7_224", "xcit_nano_12_p8_224"):
        for i in range(4):
            rows.append((f"{arch}.v{i}_in1k", 160 + i, 70.0, 1000.0 / 2**i, 25.0))
            gmacs.append(2.0**i)
    return table(rows).assign(gmacs=gmacs)


def test_transformers_on_a_cpu_against_a_gpu_at_equal_size():
    gpu = nets()
    attention = gpu["kind"].eq("transformer")

    def on_the_cpu(slower):
        return gpu.assign(hardware="i7_12700h", precision="fp32", samples_per_sec=gpu["samples_per_sec"] / slower)

    def verdict(slower, *cards):
        return judge("transformers_cpu", on_the_cpu(slower), *cards).verdict

    assert verdict(np.where(attention, 40.0, 20.0), gpu) == HOLDS
    assert verdict(np.where(attention, 10.0, 20.0), gpu) == FAILS
    assert verdict(np.full(len(gpu), 20.0), gpu) == CONDITIONAL, "no difference is a tie"
    assert verdict(np.where(attention, 40.0, 20.0)) == NO_DATA
    # larger networks slow down more whatever their kind, and these transformers are larger: no penalty
    large = gpu.assign(gmacs=np.where(attention, gpu["gmacs"] * 8, gpu["gmacs"]))
    slow = on_the_cpu(20 * large["gmacs"] ** 0.3).assign(gmacs=large["gmacs"])
    found = judge("transformers_cpu", slow, large)
    assert found.estimate == pytest.approx(1.0) and found.verdict == CONDITIONAL
    # like with like: a compiled card says nothing about a processor run eagerly
    assert verdict(np.where(attention, 40.0, 20.0), gpu.assign(compiled=True)) == NO_DATA
    assert verdict(np.where(attention, 40.0, 20.0), gpu.assign(layout="nhwc")) == NO_DATA
    changed = gpu.assign(param_count=gpu["param_count"] * 1.1)
    slow = np.where(attention, 40.0, 20.0)
    assert verdict(slow, changed) == NO_DATA, "re-parameterised networks must not be compared"
    # two odd families of four carry no verdict, however many networks they have
    odd = gpu["family"].eq("vit")
    assert verdict(np.where(odd, 60.0, 20.0), gpu) == CONDITIONAL


def test_leaders_of_one_family_count_together():
    field_ = table([(f"{arch}.in1k", 224, 60.0 + i, 5000.0 / 1.5**i, 20.0) for i, arch in enumerate(DOZEN)])

    twice = [(f"{arch}.twice_in22k_ft_in1k", 224, 60.5 + 3 * i, 1.0, 20.0) for i, arch in enumerate(DOZEN[:4])]

    def with_leaders(archs):
        top = [(f"{arch}.v{i}_in22k_ft_in1k", 224 + i, 80.0 + i, 50.0 / 1.5**i, 90.0) for i, arch in enumerate(archs)]
        return pd.concat([field_, table(top), table(twice)], ignore_index=True)

    one = judge("pretraining", with_leaders(["vit_base_patch16_224"] * 12))
    many = judge("pretraining", with_leaders(DOZEN))
    assert many.verdict == HOLDS and one.verdict == CONDITIONAL and one.tie and one.low < 0 < many.low


def test_claims_keep_to_the_machines_they_are_about():
    head = field(hardware="rtx5090").iloc[0]
    applies = {claim.key: claim.applies for claim in verdicts.CLAIMS}
    assert not applies["transformers_cpu"](head) and not applies["training"](head) and not applies["compiling"](head)
    assert applies["vgg"](head)
    assert applies["transformers_cpu"](field(hardware="i9_10940x").iloc[0])


def test_uncertainty_is_binomial():
    assert top1_se(85.0) == pytest.approx(0.16, abs=0.005)
    assert top1_uncertainty(85.0, 85.0) == pytest.approx(2 * 2**0.5 * 0.1597, abs=0.002)


def test_spearman_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    a, b = random.integers(0, 20, 200), random.normal(size=200)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)


# ---- the whole, on the real tables


@pytest.fixture(scope="module")
def real(timm_tables, every_verdict):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIMM_RESULTS", str(timm_tables))
        yield every_verdict, timm_tables


def raw(folder, vintage: str, file: str, part: str) -> list[dict]:
    """(model, size, family, pretrain, top1, speed, parameters) of one file, joined with plain dictionaries; test
    networks left out.
    """
    with (
        open(folder / vintage / "results-imagenet.csv", newline="") as results,
        open(folder / vintage / file, newline="") as speeds,
    ):
        speed = {
            (row["model"], int(row[f"{part}_img_size"])): row
            for row in csv.DictReader(speeds)
            if row[f"{part}_samples_per_sec"]
        }
        rows = []
        for row in csv.DictReader(results):
            arch, size = row["model"].split(".")[0], int(row["img_size"])
            if (arch, size) in speed and families.family(arch) != "test":
                there = speed[arch, size]
                about = {"model": row["model"], "arch": arch, "size": size, "family": families.family(arch)}
                rate, params = there[f"{part}_samples_per_sec"], there["param_count"].replace(",", "")
                rows.append({**about, "top1": float(row["top1"]), "speed": float(rate), "params": float(params)})
        return rows


def frontier(rows: list[dict]) -> list[dict]:
    """By the definition, pair by pair."""
    return [
        a
        for a in rows
        if not any(
            (b["speed"] >= a["speed"] and b["top1"] > a["top1"]) or (b["speed"] > a["speed"] and b["top1"] >= a["top1"])
            for b in rows
        )
    ]


def one(frame, claim, **where):
    for name, value in where.items():
        frame = frame[frame[name] == value]
    frame = frame[frame["claim"] == claim]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def files(folder, vintage, part=""):
    return sorted(path.name for path in (folder / vintage).glob(f"benchmark-{part}*.csv"))


def about(file: str) -> dict:
    named = hardware.parse_benchmark_name(file)
    return {name: named[name] for name in ("part", "precision", "layout", "compiled", "torch", "hardware")}


def test_levit_is_on_the_frontier_in_22_of_22_tables_of_today_and_wholly_in_2022(real):
    frame, folder = real
    counted = 0
    for vintage in read_data.VINTAGES:
        for file in files(folder, vintage):
            verdict = one(frame, "levit_fastest", vintage=vintage, **about(file)).verdict
            rows = raw(folder, vintage, file, about(file)["part"])
            there = {row["arch"].replace("_conv", "") for row in frontier(rows) if row["family"] == "levit"}
            counted += vintage == read_data.NOW and bool(there)
            assert vintage == read_data.NOW or len(there) == 5
            fastest = {}
            for row in (row for row in rows if row["family"] == "levit"):
                size = row["arch"].replace("_conv", "")
                fastest[size] = max(fastest.get(size, row), row, key=lambda row: row["speed"])
            ahead = [
                row
                for row in fastest.values()
                if all(
                    other["top1"] < row["top1"]
                    for other in rows
                    if other["family"] != "levit" and other["speed"] >= row["speed"]
                )
            ]
            assert verdict in (
                [FAILS] if not ahead else [HOLDS, CONDITIONAL] if len(ahead) == len(fastest) else [CONDITIONAL]
            ), file
    assert counted == 22
    notebook = about(read_data.NOTEBOOK_FILE.format(part="infer"))
    assert one(frame, "levit_fastest", vintage=read_data.THEN, **notebook).verdict == HOLDS


def test_vgg_and_compiling(real):
    frame, folder = real
    timed = frame[(frame["claim"] == "vgg") & frame["vintage"].isin([read_data.THEN, read_data.NOW])]
    assert set(timed["verdict"]) == {HOLDS} and len(timed) == 30
    file = GPU.replace(".csv", "-dynamo.csv")
    found = one(frame, "compiling", vintage=read_data.NOW, **about(file))
    here, eager = (
        {(row["model"], row["size"]): row["speed"] for row in raw(folder, read_data.NOW, name, "infer")}
        for name in (file, GPU)
    )
    gain = statistics.median(here[key] / eager[key] for key in here.keys() & eager.keys())
    assert f"{gain:.2f}× as fast" in found.evidence and gain > 1.5


def test_the_matrix_has_a_cell_per_claim_and_machine(real):
    frame, _ = real
    grid = verdicts.matrix(frame)
    assert list(grid.index[:3]) == [claim.sentence for claim in verdicts.CLAIMS[:3]]
    assert {"RTX 3090 · 2022", "RTX 5090 · 2026"} <= set(grid.columns)
    assert grid.loc["LeViT is the fastest for its accuracy", "RTX 3090 · 2022"] == HOLDS
    assert not one(frame, "vgg", main=True, hardware="rtx5090")["compiled"], "the eager table stands for the card"
    assert set(grid.to_numpy().ravel()) <= {*claims.VERDICTS, ""}
    shown = one(frame, "vgg", main=True, hardware="rtx3090", vintage=read_data.THEN)
    assert (shown.layout, shown.torch, shown.part) == ("nhwc", "1.11", "infer"), "2022 stands as the notebook had it"


# ---- tables that are changed so that the verdict has to change


GPU, CPU = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv", "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv"


def times(which, factor):
    return lambda rows: rows.assign(
        samples_per_sec=rows["samples_per_sec"].where(~which(rows), rows["samples_per_sec"] * factor)
    )


def points(which, more):
    return lambda rows: rows.assign(top1=rows["top1"].where(~which(rows), rows["top1"] + more))


def of(*names):
    return lambda rows: rows["family"].isin(names)


def transformer(rows):
    return rows["kind"].eq("transformer")


CHANGES = [
    ("levit_fastest", GPU, times(of("levit"), 0.001), FAILS),
    ("levit_fastest", GPU, points(of("levit"), 10), HOLDS),
    ("levit_fastest", GPU, lambda rows: rows[rows["family"] != "levit"], NO_DATA),
    ("convnext_middle", GPU, points(of("convnext"), 8), HOLDS),
    ("convnext_middle", GPU, points(of("convnext"), -8), FAILS),
    ("beit_slow", GPU, points(of("beit"), 5), HOLDS),
    ("beit_slow", GPU, points(of("beit"), 1.5), CONDITIONAL),
    ("parameters", GPU, lambda rows: rows.assign(param_count=rows["top1"].sample(frac=1).to_numpy()), HOLDS),
    ("parameters", GPU, lambda rows: rows.assign(param_count=1e4 / rows["samples_per_sec"]), FAILS),
    ("transformers_cpu", CPU, times(transformer, 1 / 3), HOLDS),
    ("transformers_cpu", CPU, times(transformer, 3), FAILS),
    ("pretraining", GPU, lambda rows: rows.assign(pretrain=np.where(rows["top1"] > 85, "in1k", "in21k")), FAILS),
    ("vgg", GPU, times(of("vgg"), 1000), FAILS),
    ("vgg", GPU, times(of("vgg"), 15), CONDITIONAL),
]  # fmt: skip


@pytest.fixture(scope="module")
def configurations(timm_tables):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIMM_RESULTS", str(timm_tables))
        yield list(fields.configurations())


def apart(tables, **wanted):
    """(the first of `tables` with these properties, all others)."""
    mine = next(one for one in tables if all(one[name].iloc[0] == value for name, value in wanted.items()))
    return mine, [one for one in tables if one is not mine]


@pytest.mark.parametrize("key, file, change, expected", CHANGES)
def test_another_table_gives_another_verdict(configurations, key, file, change, expected):
    mine, others = apart(configurations, vintage=read_data.NOW, **about(file))
    before = judge(key, mine, *others).verdict
    after = judge(key, change(mine).reset_index(drop=True), *others)
    assert after.verdict == expected and (before, expected) != (expected, before), after


def test_training_dealt_anew_fails(configurations):
    train, others = apart(configurations, part="train", vintage=read_data.THEN)
    assert judge("training", train, *others).verdict == HOLDS
    assert judge("training", upset(train, 1), *others).verdict == FAILS


def test_compiling_that_deals_speeds_anew_holds(configurations):
    compiled, others = apart(configurations, hardware="rtx5090", compiled=True)
    assert judge("compiling", compiled, *others).verdict == CONDITIONAL
    assert judge("compiling", upset(compiled, 1), *others).verdict == HOLDS


def test_another_order_on_another_test_set_fails(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    scores = robustness.load(read_data.NOW)
    assert robustness.carries_over("v2", scores).verdict == HOLDS
    anew = scores.assign(v2=scores["v2"].sample(frac=1, random_state=0).to_numpy())
    assert robustness.carries_over("v2", anew).verdict == FAILS
    mixed, best = scores.copy(), scores.nlargest(100, "top1").index
    mixed.loc[best, "v2"] = scores.loc[best, "v2"].sample(frac=1, random_state=0).to_numpy()
    assert robustness.carries_over("v2", mixed).verdict == CONDITIONAL


# ---- writing and reading them back


@pytest.fixture
def at_hand(tmp_path, moved, monkeypatch):
    """A function that says which tables there are; its folder takes what is written."""
    moved(DATA=tmp_path)
    monkeypatch.setattr(robustness, "load", lambda vintage: pd.DataFrame({"top1": [1.0], "model": ["x"]}))

    def lay(*frames):
        monkeypatch.setattr(verdicts.fields, "configurations", lambda: list(frames))

    lay.folder = tmp_path
    return lay


def test_findings_are_written_once_and_read_back(at_hand):
    at_hand(field(LEVIT).assign(vintage="measured"))
    made, path = verdicts.update(), at_hand.folder / verdicts.FILE
    assert path.exists() and path.with_suffix(".json").exists()
    stamp = path.stat().st_mtime_ns
    verdicts.update()
    assert path.stat().st_mtime_ns == stamp, "nothing changed, nothing is written"
    back = verdicts.load()
    assert back["verdict"].tolist() == made["verdict"].tolist() and back["tie"].dtype == bool
    assert back["estimate"].dtype == float


def test_findings_on_tables_that_are_missing_are_kept(at_hand):
    at_hand(field(LEVIT))
    verdicts.update()
    at_hand(field(LEVIT).assign(vintage="measured", hardware="our_gpu"))
    now = verdicts.update()
    assert {"measured", read_data.NOW} == set(now["vintage"])
    assert set(verdicts.load()["hardware"]) == {"our_gpu", "rtx5090", ""}


@pytest.mark.slow
def test_without_tables_the_rows_keep_their_order(at_hand):
    """Of both vintages, of ours, and those about no machine, which come last."""
    new, ours = field(LEVIT), field(LEVIT).assign(vintage="measured", hardware="our_gpu")
    names = ["claim", *verdicts.CONFIGURATION]
    at_hand(new.assign(vintage=read_data.THEN), new, ours)
    before = verdicts.update()[names].to_csv()
    for left in ([ours], [new, ours]):  # neither vintage, then the old one
        at_hand(*left)
        assert verdicts.update()[names].to_csv() == before


def test_a_card_of_timms_that_was_measured_here_too_has_its_own_column(at_hand):
    at_hand(field(LEVIT), field(LEVIT).assign(vintage="measured", hardware_name="RTX 5090"))
    assert list(verdicts.matrix(verdicts.update()).columns) == ["RTX 5090 · 2026", "RTX 5090, measured here · 2026"]


def test_nothing_at_hand(at_hand):
    at_hand()
    with pytest.raises(UserError, match="nothing to judge"):
        verdicts.update()


@pytest.mark.parametrize(
    "old, new, said",
    [("no data", "certainly", "unknown"), ("levit_fastest", "hamster_fastest", "unknown"), ("verdict", "v", "missing")],
)
def test_a_damaged_file_is_refused(at_hand, old, new, said):
    at_hand(field(LEVIT).assign(vintage="measured"))
    verdicts.update()
    path = at_hand.folder / verdicts.FILE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=said):
        verdicts.load()


def test_what_is_committed_reads_and_knows_every_claim():
    frame = verdicts.load()
    assert {claim.key for claim in verdicts.CLAIMS} == set(frame["claim"])


def test_each_claim_has_its_own_sentence_and_origin():
    for name in ("key", "sentence"):
        assert len({getattr(claim, name) for claim in verdicts.CLAIMS}) == len(verdicts.CLAIMS)
    assert all(claim.origin for claim in verdicts.CLAIMS)
    assert claims_families.CLAIMS and claims_speed.CLAIMS


# ---- tables as they may come one day


@pytest.fixture
def copy(timm_tables, tmp_path, monkeypatch, moved):
    """A function that lays out a copy of the real tables in which one file went through `change(text) -> text`."""

    def lay(file, change):
        now = read_data.NOW
        for folder in read_data.VINTAGES:
            (tmp_path / "tables" / folder).mkdir(parents=True)
            for path in (timm_tables / folder).glob("*.csv" if folder == now else "results-*.csv"):
                text = path.read_text()
                text = change(text) if (folder, path.name) == (now, file) else text
                (tmp_path / "tables" / folder / path.name).write_text(text)
        monkeypatch.setenv("TIMM_RESULTS", str(tmp_path / "tables"))
        moved(DATA=tmp_path)
        only = {(now, "infer"): [GPU]}
        monkeypatch.setattr(read_data, "configs", lambda vintage, part=None: only.get((vintage, part), []))

    return lay


@pytest.mark.parametrize("column", ["infer_samples_per_sec", "param_count"])
def test_a_table_without_a_column_gives_no_data_and_says_why(copy, capsys, column):
    copy(GPU, lambda text: text.replace(column, "renamed", 1))
    frame = verdicts.compute()
    mine = frame[frame["hardware"] == "rtx5090"]
    assert set(mine["verdict"]) == {NO_DATA} and len(mine) == 6 and mine["weights"].eq(0).all()
    assert column in capsys.readouterr().err


def test_a_table_without_a_family_gives_no_data_for_it_alone(copy):
    copy(GPU, lambda text: "\n".join(line for line in text.splitlines() if "beit" not in line) + "\n")
    frame = verdicts.compute().set_index("claim")
    mine = frame[frame["hardware"] == "rtx5090"]
    assert mine["verdict"]["beit_slow"] == NO_DATA and mine["verdict"]["levit_fastest"] == CONDITIONAL


def test_new_architectures_are_named_with_where_to_add_them(copy, capsys):
    row = "hypernet_x9000.fb_in1k,224,99.0,1.0,99.9,0.1,1.0,0.9,bicubic\n"
    copy("results-imagenet.csv", lambda text: text + row)
    assert verdicts.main([]) == 2
    said = capsys.readouterr().err
    assert "hypernet_x9000" in said and "families.py" in said and "Traceback" not in said and said.count("\n") == 1
