"""What the pages say is computed from CSVs: right figures, hostile names inert, missing data named."""

import math
import re

import pandas as pd
import pytest

from scripts.common import words
from scripts.common.errors import UserError
from scripts.data import read_data
from scripts.findings import verdicts as findings
from scripts.pages import content, findings as verdicts, glossary, hardware, home, machine, method, readme, robustness

HOSTILE = "<img src=x onerror=alert(1)>"
PICKS = (
    "machine,hardware,date,compiled,need,floor_samples_per_sec,model,family,img_size,top1,samples_per_sec,param_count,"
    "runner_up,runner_up_top1,runner_up_samples_per_sec\n"
    + "".join(
        f"{machine},{slug},{date},{compiled},{need},1,{model},vit,224,80.5,0.4237,10,,,\n"
        for machine, slug, date, compiled in (
            ("then", "rtx3090", "2022-03-29", False),
            ("gpu", "rtx5090", "2026-01-06", False),
            ("cpu", "i7_12700h", "2024-09-04", True),
        )
        for need, model in (("fast", HOSTILE), ("balanced", "vit_b"), ("accurate", "vit_c"))
    )
)


@pytest.fixture
def data(tmp_path, monkeypatch, moved):
    moved(DATA=tmp_path)
    (tmp_path / "picks.csv").write_text(PICKS)
    return tmp_path


def finding(**change):
    row = dict.fromkeys(findings.COLUMNS, "") | {
        "claim": "vgg",
        "vintage": read_data.NOW,
        "hardware": "rtx5090",
        "hardware_name": "RTX 5090",
        "year": 2026,
        "part": "infer",
        "verdict": "holds",
        "evidence": "because",
        "main": True,
        "tie": False,
        "compiled": False,
        "weights": 20,
    }
    return row | change


def write_findings(folder, *rows):
    pd.DataFrame(rows)[findings.COLUMNS].to_csv(folder / findings.FILE, index=False)


@pytest.mark.parametrize(
    "value, said", [(0.4237, "0.424"), (22.73, "22.7"), (3928.9, "3,930"), (14022.9, "14,000"), (0, "0")]
)
def test_speeds_have_three_figures(value, said):
    assert words.images_per_second(value) == said


def test_the_standard_error_of_top1():
    assert content.top1_standard_error(85) == pytest.approx(100 * math.sqrt(0.85 * 0.15 / 50_000))


def test_a_hostile_name_is_text_in_the_answer_and_in_the_table(data, capsys):
    home.answer()
    home.picks()
    assert "<img" not in capsys.readouterr().out


def test_an_unknown_figure_says_so_in_a_sentence():
    unknown = content.Numbers()["no.such.key"]
    assert math.isnan(unknown) and f"{unknown:.2f}%" == "n/a%" and str(unknown) == "n/a"


def test_the_answer_is_three_cards_for_each_machine_and_follows_its_data(data, capsys):
    home.answer()
    said = capsys.readouterr().out
    assert said.count("RTX 5090") == said.count("Core i7-12700H") == 1 and "RTX 3090" not in said  # not those of then
    assert said.count("<li ") == 6 and said.count('" hidden>') == 1 and '<ol data-machine="rtx5090">' in said
    assert "<strong>80.5%</strong> right" in said and "<strong>0.424</strong> images a second" in said
    cpu = "cpu,i7_12700h,2024-09-04,True,accurate,1,"
    (data / "picks.csv").write_text(PICKS.replace(f"{cpu}vit_c", f"{cpu}other.tag"))
    home.answer()
    # the bare name would load timm's default weights
    assert "<b>other</b><wbr>.tag" in capsys.readouterr().out and home.then() == "ViT, ViT and ViT"


@pytest.mark.parametrize("machine", ["gpu", "cpu", "then"])
def test_an_answer_without_one_of_the_machines(data, capsys, machine):
    kept = [line for line in PICKS.splitlines(keepends=True) if not line.startswith(machine)]
    (data / "picks.csv").write_text("".join(kept))
    home.answer()
    home.picks()
    out = capsys.readouterr().out
    assert "nan" not in out.lower() and "no table" in out


def test_without_picks_the_page_says_what_to_run(data, capsys):
    (data / "picks.csv").unlink()
    home.answer()
    home.picks()
    assert capsys.readouterr().out.count("make data") == 1 and home.then() == "n/a"


def test_a_missing_column_is_named_where_the_table_would_stand(data, capsys):
    (data / "machines-stable.csv").write_text("model,top1\na,80\n")
    content.stored("machines-stable", {"model": "Model", "img_size": "Pixels"}, "caption")
    out = capsys.readouterr().out
    assert "callout-warning" in out and "img" in out and "missing" in out


def test_intervals_of_a_measured_table_sort_by_their_numbers(data, capsys, monkeypatch):
    row = {"file": "b.csv", "arch": "a", "img_size": 224, "top1": 80.0, "param_count": 5.0, "batch_size": 1}
    row |= {"samples_per_sec": 1250.0, "samples_per_sec_low": 1230.0, "samples_per_sec_high": 1300.0}
    monkeypatch.setattr(machine, "here", lambda part=None: pd.DataFrame([row]))
    machine.table("infer")
    # assets/tables.js reads a number, past its commas, in such a cell only
    assert '<td class="number">1,230 to 1,300</td>' in capsys.readouterr().out


@pytest.mark.parametrize(
    "verdicts_of, words",
    [
        (
            (("vgg", "holds"), ("levit_fastest", "fails")),
            "of 2 claims **1 holds** on every machine that can tell, **1 fails** on every one, and for **0** the "
            "answer needs",
        ),
        (
            (("vgg", "holds"), ("vgg", "fails"), ("levit_fastest", "no data")),
            "of 1 claim **none holds** on every machine that can tell, **none fails** on every one, and for **1** "
            "the answer needs",
        ),
    ],
)
def test_the_headline_counts_claims(data, capsys, verdicts_of, words):
    write_findings(
        data,
        *(
            finding(claim=claim, verdict=verdict, hardware=f"h{i}", hardware_name=f"H{i}")
            for i, (claim, verdict) in enumerate(verdicts_of)
        ),
    )
    verdicts.headline()
    assert words in capsys.readouterr().out


def test_the_evidence_shows_the_main_tables_and_folds_the_rest(data, capsys):
    write_findings(
        data,
        finding(),
        finding(hardware="rtx4090", hardware_name="RTX 4090", main=False),
        finding(hardware="rtx3090", hardware_name="RTX 3090", verdict="no data"),
    )
    verdicts.claims()
    first, folded = capsys.readouterr().out.split("<details")
    assert "RTX 5090" in first and "RTX 4090" not in first and "RTX 3090" not in first
    assert "All 3 tables" in folded and "RTX 4090" in folded and "RTX 3090" in folded


def test_every_word_of_the_glossary_is_one_anchor_and_every_link_to_it_leads_somewhere(capsys):
    anchors = [anchor for group in glossary.TERMS.values() for anchor in group]
    assert len(anchors) == len(set(anchors))
    glossary.show()
    assert capsys.readouterr().out.count(" .term}") == len(anchors)
    pages = [readme.ROOT / "index.qmd", *(readme.ROOT / "report").glob("*.qmd")]
    linked = {anchor for path in pages for anchor in re.findall(r"glossary\.qmd#([\w-]+)", path.read_text())}
    assert linked and linked <= set(anchors)
    assert glossary.links("f1", "ece") == "[F1](/report/glossary.qmd#f1), [ECE](/report/glossary.qmd#ece)"
    for ask in (glossary.note, glossary.links):
        with pytest.raises(UserError, match="no word"):
            ask("nothing")


def test_tables_are_counted_where_one_machine_has_two(data, capsys):
    write_findings(
        data,
        finding(),
        finding(vintage="then", year=2022),
        finding(vintage="measured", hardware="own", hardware_name="Own", verdict="fails"),
    )
    verdicts.claims()
    assert "**holds** on 2, **fails** on 1 of 3 tables (2022, 2026 and our own)" in capsys.readouterr().out
    write_findings(data, finding())
    verdicts.claims()
    assert "**holds** on the one table with data (2026)" in capsys.readouterr().out


def test_a_machine_of_ours_says_on_how_few_it_was_judged(data, capsys):
    own = {"vintage": "measured", "hardware": "own", "hardware_name": "Own <b>"}
    write_findings(data, finding(), finding(**own), finding(**own, claim="levit_fastest", weights=72))
    verdicts.matrix()
    out = capsys.readouterr().out
    assert "Own &lt;b&gt; · 2026: 72 sets of weights." in out
    verdicts.headline()
    assert "newest tables of 2 machines" in capsys.readouterr().out, "as many as the matrix shows"


def test_what_decides_stands_in_the_evidence(data, capsys):
    tie = {"verdict": "conditional", "tie": True, "paired": "holds", "estimate": 0.25, "low": -0.15, "high": 0.656}
    write_findings(data, finding(claim="beit_slow", unit="points of top-1", **tie), finding(estimate=2.5, low=2.25))
    verdicts.matrix()
    said = capsys.readouterr().out
    assert "Estimate 0.25, 95% interval −0.15 to 0.66 (points of top-1): a tie; holds where" in said
    verdicts.claims()
    out = capsys.readouterr().out
    assert "conditional, a tie (or holds)" in out and "2.50; at least 2.25" in out
    assert "*Estimated*: points of top-1 between the most accurate BEiT" in out and "*Rule*: holds where" in out


def test_a_pick_within_the_noise_of_its_floor_names_the_runner_up(data, capsys):
    (data / "picks.csv").write_text(PICKS.replace("0.4237,10,,,", "0.4237,10,levit_x.y,79.9,0.9", 1))
    home.picks()
    out = capsys.readouterr().out
    assert out.count("only just fast enough") == 1 and "79.9%, 0.900 images/s" in out


def test_the_matrix_opens_its_evidence(data, capsys):
    write_findings(data, finding(evidence=HOSTILE), finding(claim="levit_fastest", verdict="fails", evidence="slower"))
    verdicts.matrix()
    out = capsys.readouterr().out
    assert out.count('popovertarget="evidence-') == 2 == out.count('<div popover id="evidence-') and "<img" not in out
    assert 'class="verdict holds"' in out and 'class="verdict fails"' in out


def test_a_verdict_sentence_follows_its_data(data, capsys):
    write_findings(data, finding(), finding(hardware="rtx4090", hardware_name="RTX 4090", verdict="fails"))
    verdicts.summary()
    assert "**holds** on 1, **fails** on 1 of 2 machines" in capsys.readouterr().out
    write_findings(data, finding(), finding(hardware="rtx4090", hardware_name="RTX 4090", verdict="holds"))
    verdicts.summary()
    assert "**holds** on all 2 machines" in capsys.readouterr().out


def test_no_data_is_never_counted_as_holding(data, capsys):
    write_findings(data, finding(verdict="no data"), finding(hardware="rtx4090", hardware_name="RTX 4090"))
    verdicts.summary()
    assert "**holds** on the one machine with data" in capsys.readouterr().out


def test_missing_findings_and_tables_say_what_to_run(data, capsys):
    verdicts.matrix()
    content.stored("machines-stable", {"model": "Model"}, "caption")
    out = capsys.readouterr().out
    assert out.count("make data") == 2


@pytest.mark.parametrize(
    "show",
    [
        method.join_audit,
        hardware.agreement,
        lambda: robustness.robust_families("v2", "V2"),
        verdicts.summary,
        verdicts.claims,
    ],
)
def test_one_missing_table_leaves_a_note_and_the_rest_of_the_page(data, capsys, show):
    show()
    assert "A table is missing here" in capsys.readouterr().out


def test_without_a_card_or_a_processor_nothing_is_said_of_orders_that_travel(data):
    (data / "machines-agreement.csv").write_text("machine,RTX 5090,RTX 4090\nRTX 5090,1,0.99\nRTX 4090,0.99,1\n")
    assert hardware.facts().advice == "" and f"{hardware.facts().gpu_agreement:.2f}" == "0.99"


@pytest.mark.parametrize("text", ["machine,A\nA,1\nB,0.9\n", "machine,A,B\nA,1,x\nB,0.9,1\n"])
def test_a_damaged_square_of_machines_is_a_note_too(data, capsys, text):
    (data / "machines-agreement.csv").write_text(text)
    hardware.agreement()
    assert "A table is missing here" in capsys.readouterr().out and hardware.facts().advice == ""


def test_the_readme_holds_the_present_answer():
    text = (readme.ROOT / "README.md").read_text()
    assert readme.updated(text) == text, "run `python -m scripts.pages.readme`"


def test_a_readme_without_its_markers_is_refused(data):
    with pytest.raises(UserError, match="markers"):
        readme.updated("# no markers here\n")


def test_the_readme_changes_with_the_picks(data):
    made = readme.updated(f"a {readme.START} old {readme.END} b")
    assert "vit_c" in made and "old" not in made
