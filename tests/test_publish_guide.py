"""What the page on the files says of them is true of the files."""

from __future__ import annotations

import json
import re

from scripts.publish import files, guide


def test_every_column_of_a_models_file_is_explained(capsys):
    guide.columns()
    said = capsys.readouterr().out
    for name in (*files.SPEEDS, *files.SCORES):
        assert f"<code>{name.replace('_', '&#95;')}</code>" in said, name
    assert "–</td>" not in said


def test_every_file_and_schema_is_named(capsys):
    guide.files()
    said = capsys.readouterr().out
    assert {path.name for path in files.SCHEMAS.glob("*.json")} == {f"{name}.json" for name, _ in guide.FILES.values()}
    for name, _ in guide.FILES.values():
        assert f"/data/v1/schema/{name}.json" in said


def test_the_changes_are_dated_in_order_and_end_at_this_version():
    rows = json.loads(guide.CHANGES.read_text(encoding="utf-8"))
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"]) and row["what"] and row["moved"] for row in rows)
    assert rows[-1]["version"] == files.VERSION
    guide.changes()
