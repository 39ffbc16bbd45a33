"""The table of published accuracies: its form, that it covers what we measure, and that timm's table agrees."""

from __future__ import annotations

import pandas as pd
import pytest

from scripts.common import families
from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.data import accuracy, read_data


def test_every_row_has_a_source_and_a_family():
    frame = accuracy.load()
    assert len(frame) == len(frame.drop_duplicates(["model", "img_size"]))
    families.check(frame["arch"])
    assert (frame["source"].str.len() > 8).all()


def test_key_architectures_have_an_accuracy_at_the_sizes_that_are_measured():
    pytest.importorskip("timm")
    from scripts.bench.loaded import input_size

    frame = accuracy.load()
    known = set(zip(frame["arch"], frame["img_size"]))
    missing = [
        (arch, part)
        for arch in frame["arch"].unique()
        for part in ("infer", "train")
        if (arch, input_size(arch, part)[-1]) not in known
    ]
    assert not missing
    assert 50 <= frame["arch"].nunique() <= 75


def test_the_quick_set_is_part_of_key():
    pytest.importorskip("timm")
    from scripts.bench.models import COMPILED, QUICK, REPEAT, key

    assert not {*QUICK, *COMPILED, *REPEAT} - set(key())


def test_agrees_with_timms_table(timm_tables):
    table = read_table(
        timm_tables / read_data.NOW / "results-imagenet.csv",
        numeric=["img_size", "top1", "top5"],
        key=["model", "img_size"],
    )
    assert accuracy.differences(accuracy.load(), table) == []


def test_a_difference_is_named():
    published = accuracy.load().head(3)
    table = published[["model", "img_size", "top1", "top5"]].copy()
    table.loc[1, "top1"] += 0.16
    assert [line.split()[0] for line in accuracy.differences(published, table)] == [published["model"][1]]
    assert "not in the table" in accuracy.differences(published, table.drop(index=2))[0]
    table.loc[1, "top1"] -= 0.02
    assert accuracy.differences(published, table) == []


@pytest.mark.parametrize(
    "change, says",
    [
        ({"top1": "120"}, "percent"),
        ({"top1": "eighty"}, "not a number"),
        ({"arch": "other"}, "arch.tag"),
        ({"source": " "}, "source"),
        ({"top5": "12"}, "percent"),
    ],
)
def test_a_bad_row_is_refused(tmp_path, change, says):
    row = dict(model="a.b", arch="a", tag="b", img_size="224", top1="80.1", top5="", param_count="5", pretrain="in1k")
    row |= {"source": "a paper", **change}
    pd.DataFrame([row]).to_csv(tmp_path / "accuracy.csv", index=False)
    with pytest.raises(UserError, match=says):
        accuracy.load(tmp_path / "accuracy.csv")
