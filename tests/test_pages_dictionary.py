"""The data dictionary explains every committed table and column, and its keys are keys."""

import pytest

from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.pages import dictionary


def test_every_table_and_column_is_explained():
    missing = dictionary.unknown()
    assert not missing, dictionary.remedy(missing)


def test_every_key_names_one_row():
    for path in sorted(DATA.glob("*.csv")):
        key = [name for name in dictionary.key(path.name) if name in read_table(path).columns]
        assert key, f"{path.name}: no key; add the columns that name a row to its entry in {dictionary.HERE}"
        try:
            read_table(path, key=key)
        except UserError as error:
            pytest.fail(
                f"{error}: the key of {dictionary.table(path.name).pattern!r} in {dictionary.HERE}; give the file an "
                "entry of its own before that one"
            )


def test_an_unexplained_column_is_named(tmp_path):
    (tmp_path / "picks.csv").write_text("machine,colour\nx,red\n")
    (tmp_path / "other.csv").write_text("a\n1\n")
    missing = dictionary.unknown(tmp_path)
    assert missing == ["other.csv", "picks.csv: colour"]
    assert "scripts/pages/dictionary.py" in dictionary.remedy(missing) and "picks.csv: colour" in dictionary.remedy(
        missing
    )


@pytest.mark.parametrize(
    "name, column, tolerance",
    [
        ("report/data/benchmark-infer-amp-nhwc-pt2150-cu130-rtx5090.csv", "infer_samples_per_sec", dictionary.VARIES),
        ("benchmark-infer-amp-nhwc-pt2150-cu130-rtx5090.csv", "param_count", dictionary.EXACT),
        ("zoo-digits-x.csv", "train_seconds", dictionary.VARIES),
        ("zoo-digits-x.csv", "accuracy_low", dictionary.VARIES),
        ("zoo-digits-x.csv", "epochs", dictionary.EXACT),
        ("accuracy.csv", "top1", dictionary.EXACT),
        ("unheard-of.csv", "top1", dictionary.EXACT),
    ],
)
def test_timings_vary_and_published_figures_do_not(name, column, tolerance):
    assert dictionary.tolerance(name, column) == tolerance


def test_a_file_belongs_to_one_entry():
    assert dictionary.table("zoo-digits-x-history.csv").title == "Training curves"
    assert dictionary.table("repeat-infer-bf16-nhwc-pt2150-cu130-h200.csv").key[-1] == "round"
    for path in DATA.glob("*.csv"):
        assert path in dictionary.files(dictionary.table(path.name))


def test_the_page_shows_every_table(capsys):
    dictionary.show()
    text = capsys.readouterr().out
    for path in DATA.glob("*.csv"):
        assert f'href="/report/data/{path.name.replace("_", "&#95;")}"' in text
