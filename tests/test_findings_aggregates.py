import pandas as pd

from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.findings import aggregates


def machine(hardware, speeds, compiled=False):
    frame = pd.DataFrame({"arch": list(speeds), "samples_per_sec": list(speeds.values())})
    return frame.assign(
        model=frame.arch + ".in1k",
        img_size=224,
        family="vit",
        kind="transformer",
        top1=80.0 + frame.index,
        param_count=10.0,
        hardware=hardware,
        compiled=compiled,
        torch="2.9.1",
    )


TABLES = {
    "rtx4090": machine("rtx4090", {"vit_a": 30.0, "vit_b": 20.0, "vit_c": 10.0}),
    "rtx4090-compiled": machine("rtx4090", {"vit_a": 60.0, "vit_b": 30.0, "vit_c": 10.0}, compiled=True),
    "rtx5090": machine("rtx5090", {"vit_a": 10.0, "vit_b": 20.0, "vit_c": 30.0}),
}


def test_stable_picks_need_half_of_the_machines():
    found = aggregates.stable(TABLES).set_index("model")
    assert found.machines["vit_c.in1k"] == 3 and found.index[0] == "vit_c.in1k"
    assert found.loc["vit_a.in1k", ["machines", "timed"]].tolist() == [2, 3]


def test_agreement_is_a_square_of_rank_correlations():
    square = aggregates.agreement(TABLES).set_index("machine")
    assert square.loc["RTX 4090", "RTX 4090, compiled"] == 1 and square.loc["RTX 4090", "RTX 5090"] == -1


def test_compiling_is_the_median_speed_up():
    row = aggregates.compiling(TABLES).set_index("kind").loc["all"]
    assert (row.networks, row["median"]) == (3, 1.5)


def test_a_machine_without_a_compiled_table_has_no_speed_up():
    assert aggregates.compiling({"rtx5090": TABLES["rtx5090"]}).empty


def test_the_committed_tables_hold_what_the_pages_ask_for():
    numbers, key = ["top1", "machines", "timed"], ["model", "img_size"]
    assert len(read_table(DATA / "machines-stable.csv", required=["family"], numeric=numbers, key=key))
    numbers = ["rho", "rho_best", "loss"]
    assert len(read_table(DATA / "robustness.csv", required=["name"], numeric=numbers, key=["set"])) == 5
