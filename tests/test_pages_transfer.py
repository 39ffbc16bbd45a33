"""The pages on other pictures and on phones, with their tables and without them."""

import pytest

from scripts.common.paths import ROOT
from scripts.common.tables import read_table
from scripts.figures import display_transfer
from scripts.pages import phones, transfer


def test_the_line_under_an_answer_names_the_fine_tuned_sets():
    found = read_table(display_transfer.DATA / "transfer.csv", numeric=["rho"])
    line = transfer.line()
    for row in found[found["pretrained"] == "True"].itertuples():
        assert f"{row.rho:.2f} on {row.what}" in line


@pytest.mark.parametrize("file, answer", [("index.qmd", "home.answer()"), ("report/picker.qmd", 'id="picks"')])
def test_the_line_stands_under_the_answer_and_leads_to_the_page(file, answer):
    text = (ROOT / file).read_text(encoding="utf-8")
    below = text[text.index(answer) :].partition("\n## ")[0].partition("page.chart(")[0]
    assert "transfer.line()" in below and "transfer.qmd" in below and text.count("transfer.line()") == 1


@pytest.mark.parametrize(
    "print_it", [transfer.said, transfer.table, transfer.costs, transfer.largest, transfer.travellers]
)
def test_the_page_on_other_pictures_prints_each_part(print_it, capsys):
    print_it()
    said = capsys.readouterr().out
    assert said.strip() and "make data" not in said and "nan" not in said


@pytest.mark.parametrize("print_it", [phones.said, phones.quantising, phones.table, phones.survivors, phones.devices])
def test_the_page_on_phones_prints_each_part(print_it, capsys):
    print_it()
    said = capsys.readouterr().out
    assert said.strip() and "make data" not in said and "nan" not in said


def test_without_their_tables_the_pages_say_what_is_missing(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    assert transfer.line() == "ImageNet is not your data."
    parts = (transfer.said, transfer.table, transfer.costs, transfer.travellers, phones.said, phones.table)
    for print_it in (*parts, phones.devices, phones.survivors):
        print_it()
        assert "callout" in capsys.readouterr().out
