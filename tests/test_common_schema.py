"""The data dictionary explains every committed table and column, and its keys are keys."""

import pytest

from scripts.common import schema
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.pages import data


def test_every_table_and_column_is_explained():
    missing = schema.unknown()
    assert not missing, schema.remedy(missing)


def test_every_key_names_one_row():
    for path in sorted(DATA.glob("*.csv")):
        key = [name for name in schema.key(path.name) if name in read_table(path).columns]
        assert key, f"{path.name}: no key; add the columns that name a row to its entry in {'scripts/common/schema'}"
        try:
            read_table(path, key=key)
        except UserError as error:
            pytest.fail(
                f"{error}: the key of {schema.table(path.name).pattern!r} in {'scripts/common/schema'}; give the file "
                "an entry of its own before that one"
            )


def test_an_unexplained_column_is_named(tmp_path):
    (tmp_path / "picks.csv").write_text("machine,colour\nx,red\n")
    (tmp_path / "other.csv").write_text("a\n1\n")
    missing = schema.unknown(tmp_path)
    assert missing == ["other.csv", "picks.csv: colour"]
    assert "scripts/common/schema" in schema.remedy(missing) and "picks.csv: colour" in schema.remedy(missing)


@pytest.mark.parametrize(
    "name, column, tolerance",
    [
        ("report/data/benchmark-infer-amp-nhwc-pt2150-cu130-rtx5090.csv", "infer_samples_per_sec", schema.VARIES),
        ("benchmark-infer-amp-nhwc-pt2150-cu130-rtx5090.csv", "param_count", schema.EXACT),
        ("zoo-digits-x.csv", "train_seconds", schema.VARIES),
        ("zoo-digits-x.csv", "accuracy_low", schema.VARIES),
        ("zoo-digits-x.csv", "epochs", schema.EXACT),
        ("accuracy.csv", "top1", schema.EXACT),
        ("unheard-of.csv", "top1", schema.EXACT),
    ],
)
def test_timings_vary_and_published_figures_do_not(name, column, tolerance):
    assert schema.tolerance(name, column) == tolerance


def test_a_file_belongs_to_one_entry():
    assert schema.table("zoo-digits-x-history.csv").title == "Training curves"
    assert schema.table("repeat-infer-bf16-nhwc-pt2150-cu130-h200.csv").key[-1] == "round"
    for path in DATA.glob("*.csv"):
        assert path in schema.files(schema.table(path.name))


def test_the_page_shows_every_table(capsys):
    data.show()
    text = capsys.readouterr().out
    for path in DATA.glob("*.csv"):
        assert f'href="/report/data/{path.name.replace("_", "&#95;")}"' in text
