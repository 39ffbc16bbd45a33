"""The comment's script, which runs with the right to write on what a stranger's code wrote."""

import json
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT
from scripts.diff import comment

GOOD = {
    "schema": 1,
    "headline": "1 figure changed",
    "base": "main",
    "head": "working tree",
    "code": [],
    "notes": [],
    "changes": [
        {
            "kind": "figure",
            "path": "images/a.jpg",
            "cause": "style",
            "why": ["x"],
            "summary": "style",
            "pixels": {"base_size": [10, 10], "head_size": [10, 10], "changed": 0.25, "ssim": 0.9},
        }
    ],
}


def test_a_good_report():
    text = comment.markdown(GOOD)
    assert text.startswith(comment.MARKER) and "| a.jpg | **style** | 25% | 0.900 | x |" in text


@pytest.mark.parametrize(
    "spoil",
    [
        {"schema": 2},
        {"changes": "x"},
        {"changes": [1]},
        {"changes": [{"kind": "figure"}]},
        {"code": 5},
        {"notes": None},
        {
            "changes": [
                {**GOOD["changes"][0], "pixels": {"base_size": "ab", "head_size": [1, 2], "changed": 0, "ssim": 0}}
            ]
        },
        {
            "changes": [
                {
                    **GOOD["changes"][0],
                    "pixels": {"base_size": [1, 2], "head_size": [1, 2], "changed": "<b>", "ssim": 0},
                }
            ]
        },
        {
            "changes": [
                {
                    **GOOD["changes"][0],
                    "pixels": {"base_size": [float("inf"), 1], "head_size": [1, 2], "changed": 0, "ssim": 0},
                }
            ]
        },  # JSON's 1e999
    ],
    ids=str,
)
def test_what_is_no_report_is_refused(spoil):
    with pytest.raises(comment.UserError, match="not a report of this project"):
        comment.markdown({**GOOD, **spoil})


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[1", b"[" * 300_000, b"[]", b"3"])
def test_a_file_that_is_no_report_gives_one_line_and_no_comment(tmp_path, capsys, content):
    (tmp_path / "diff.json").write_bytes(content)
    assert comment.main([str(tmp_path / "diff.json"), "--out", str(tmp_path / "c.md")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "c.md").exists()


@pytest.mark.parametrize(
    "evil",
    [
        "<img src=x onerror=alert(1)>",
        "@octocat",
        "https://evil.example",
        "www.evil.example",
        "[a](b)",
        "![a](b)",
        "#12",
        "GH-12",
        "| a | b |",
        "`x`",
        "**x**",
        "\n# x",
        "<!-- figure-diff -->",
        "</details>",
        "octo/repo#1",
    ],
)
def test_nothing_in_a_report_becomes_markup(evil):
    spoilt = json.loads(json.dumps(GOOD).replace('"x"', json.dumps(evil)).replace("1 figure changed", "EVIL"))
    spoilt["headline"] = spoilt["notes"] = spoilt["base"] = evil
    spoilt["notes"] = [evil]
    spoilt["changes"][0]["cause"] = evil
    text = comment.markdown(spoilt)
    assert text.count(comment.MARKER) == 1
    rest = text.replace(comment.MARKER, "").replace("**", "")
    for sign in ("<img", "@o", "://", "www.e", "](", "#1", "GH-1", "</details", "<!--"):
        assert sign not in rest.replace("\\]\\(", "")
    assert len([line for line in text.split("\n") if line.startswith("#")]) == 1


def test_it_runs_without_the_project_s_packages(tmp_path):
    """The job that comments installs nothing."""
    (tmp_path / "diff.json").write_text(json.dumps(GOOD))
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from scripts.diff.comment import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path / "diff.json"), "--out", str(tmp_path / "c.md")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.md").read_text() == comment.markdown(GOOD)
