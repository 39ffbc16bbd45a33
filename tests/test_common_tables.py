import math

import pytest

from scripts.common.errors import UserError
from scripts.common.tables import read_table

GOOD = 'model,top1,param_count\nNA,80.5,"1,014.45"\nnull,70,2\n'


def write(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_model_called_na_stays_text_and_thousands_are_read(tmp_path):
    frame = read_table(write(tmp_path, GOOD), required=["model"], numeric=["top1", "param_count"], key=["model"])
    assert list(frame.model) == ["NA", "null"]
    assert frame.param_count[0] == 1014.45


def test_script_in_a_cell_stays_text(tmp_path):
    path = write(tmp_path, 'model,top1\n"<script>alert(1)</script>",80\n')
    assert read_table(path, numeric=["top1"]).model[0] == "<script>alert(1)</script>"


def test_an_empty_optional_number_is_nan(tmp_path):
    frame = read_table(write(tmp_path, "model,gmacs\na,\nb,1.5\n"), optional_numeric=["gmacs", "absent"])
    assert math.isnan(frame.gmacs[0]) and frame.gmacs[1] == 1.5


@pytest.mark.parametrize(
    "text, message",
    [
        ("<!DOCTYPE html><html>not found</html>", "web page"),
        ("\n  <html>", "web page"),
        ("", "no rows"),
        ("model,top1\n", "no rows"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        ("model,top1\na,80\nb\n", "line 3: 1 cells where the header has 2"),
        ("model,top1\na,80,7\n", "line 2: 3 cells"),
        ("model,top1\na,80\nb,8", "cut short"),
        ('model,top1\na,"80\n', "damaged"),
        ("model\na\n", "'top1' is missing"),
        ("model,top1,top1\na,80,80\n", "stands twice in the header"),
        ("model,top1\na,eighty\n", "line 2: 'eighty' in column 'top1' is not a number"),
        ("model,top1\na,\n", "not a number"),
        ("model,top1\na,nan\n", "not a number"),
        ("model,top1\na,inf\n", "not a number"),
        ("model,top1\na,80\na,81\n", "line 3: a stands twice"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_table(write(tmp_path, text), numeric=["top1"], key=["model"])


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="make data"):
        read_table(tmp_path / "absent.csv")


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        read_table(tmp_path)
