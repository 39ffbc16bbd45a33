"""Prose that its verdicts choose: turned verdicts turn the sentences, and no claim goes without one."""

from __future__ import annotations

import html

import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.data import read_data
from scripts.findings import verdicts as findings
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA
from scripts.pages import advice, convnext, findings as verdicts


def rows(*given, models="beit_a eva_b.x", estimate=5.0):
    chips = [f"Chip {i}" for i in range(len(given))]
    return pd.DataFrame({"verdict": given, "hardware_name": chips}).assign(models=models, estimate=estimate)


def test_every_claim_about_a_machine_has_its_advice():
    assert set(advice.WORDS) == {claim.key for claim in findings.ON_HARDWARE}


@pytest.mark.parametrize("key", advice.WORDS)
def test_another_verdict_gives_another_sentence(key):
    said = [advice.sentence(key, rows(*one)) for one in ((HOLDS, HOLDS), (HOLDS, FAILS), (FAILS, FAILS))]
    assert len(set(said)) == 3 and not any("{" in one.replace("{=html}", "") for one in said)
    assert "measure it" in advice.sentence(key, rows()[:0])


def test_the_sentence_names_the_machines_and_the_model_that_decides():
    assert "Chip 0" in (said := advice.sentence("transformers_cpu", rows(HOLDS, FAILS))) and "not on" in said
    assert "Chip 1" in said
    assert "not clear" in advice.sentence("transformers_cpu", rows(CONDITIONAL, FAILS))
    assert "eva_" in advice.sentence("beit_slow", rows(FAILS))
    assert "5 times" in advice.sentence("vgg", rows(HOLDS, models="vgg shvit", estimate=5.0))


def test_a_hostile_model_stays_text():
    said = advice.sentence("beit_slow", rows(FAILS, models="beit <img/src=x/onerror=alert(1)>"))
    assert "<img" not in said


def test_the_page_says_what_the_findings_say(monkeypatch, capsys):
    frame = findings.load()
    newest = frame[frame.main & (frame.vintage == read_data.NOW)]
    advice.today()
    before = capsys.readouterr().out
    assert before.count("\n- ") + 1 == len(findings.ON_HARDWARE)
    assert set(newest[newest.claim == "beit_slow"].verdict) == {FAILS} and "Not BEiT any more" in before
    turned = frame.assign(verdict=frame.verdict.where(frame.claim != "beit_slow", HOLDS))
    monkeypatch.setattr(findings, "load", lambda: turned)
    advice.today()
    assert "Take a BEiT" in (after := capsys.readouterr().out) and "Not BEiT" not in after
    monkeypatch.setattr(findings, "load", lambda: frame.assign(verdict=NO_DATA))
    advice.today()
    assert capsys.readouterr().out.count("no data") == len(findings.ON_HARDWARE)
    verdicts.headline()
    assert capsys.readouterr().out == "", "no machine that can tell, no sentence on what holds"


def test_without_findings_there_is_no_advice(monkeypatch, capsys):
    def missing():
        raise UserError("findings.csv: no such file")

    monkeypatch.setattr(findings, "load", missing)
    advice.today()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "correlation, said", [(0.95, "They do."), (0.8, "Mostly they do."), (0.2, "They need not."), (float("nan"), "")]
)
def test_whether_orders_are_alike(correlation, said):
    assert advice.alike(correlation) == said


@pytest.mark.parametrize(
    "rows, said, unsaid",
    [
        (
            "A,0.95,0.93,0.97,0.8,10\nReaL,0.99,0.98,1,0.7,-5.25",
            [
                "carries over: the lowest rank correlation is 0.95 (95%: 0.93 to 0.97), on",
                "it does so less (down to 0.70",
                "gains 5.2 points",
            ],
            [],
        ),
        (
            "A,0.8,0.7,0.9,0.9,10\nB,0.6,0.5,0.65,0.9,3",
            ["does not carry over everywhere", "0.60"],
            ["it does so less", "gain"],
        ),
    ],
)
def test_whether_the_order_carries_over_is_read_from_the_table(tmp_path, moved, capsys, rows, said, unsaid):
    moved(DATA=tmp_path)
    advice.carries_over()
    assert capsys.readouterr().out == ""
    (tmp_path / "robustness.csv").write_text(f"name,rho,rho_low,rho_high,rho_best,loss\n{rows}\n")
    advice.carries_over()
    out = capsys.readouterr().out
    assert all(words in out for words in said) and not any(words in out for words in unsaid)


# ---- a family up close, on its page


@pytest.fixture
def families_csv(tmp_path, moved):
    def write(more="network", price="1.9", label="ConvNeXt"):
        numbers = ",".join(
            f"{what}_{name}"
            for what in ("picture", "network")
            for name in ("steps", "gain", "cost", "price", "low", "high")
        )
        (tmp_path / "families.csv").write_text(
            f"family,label,weights,networks,frontier,best,top1,{numbers},more\n"
            f"convnext,{label},91,26,0,convnext_x,88.9,49,0.6,1.7,0.8,0.7,0.9,52,1.1,1.6,{price},1.4,2.5,{more}\n"
        )

    moved(DATA=tmp_path)
    return write


@pytest.mark.parametrize(
    "more, said",
    [
        ("network", "larger network buys more"),
        ("picture", "larger picture buys more"),
        ("tie", "cannot be told"),
        ("", "too few steps"),
    ],
)
def test_what_buys_more_is_read_from_the_table(families_csv, capsys, more, said):
    families_csv(more)
    convnext.trade("convnext")
    out = capsys.readouterr().out
    assert said in out and "1.9 points per doubling" in out and "49 steps" in out


def test_a_family_that_is_not_there_or_a_damaged_table_is_a_note(families_csv, capsys):
    convnext.trade("convnext")
    convnext.families_by_name()
    families_csv()
    convnext.trade("hamster")
    families_csv(price="many")
    convnext.trade("convnext")
    assert capsys.readouterr().out.count("Not computed yet") == 4


def test_families_are_linked_to_their_own_chart_and_stay_text(families_csv, capsys):
    families_csv(label="<b>Conv</b>")
    convnext.families_by_name()
    out = capsys.readouterr().out
    assert "frontier_gpu=a:convnext#fig-frontier-gpu" in html.unescape(out) and "<b>Conv" not in out


@pytest.mark.parametrize(
    "number, said", [(0, "none of them is a"), (1, "1 of them is a"), (3, "3 of them are"), (float("nan"), "n/a")]
)
def test_a_count_in_a_sentence(number, said):
    assert convnext.count(number) == said
