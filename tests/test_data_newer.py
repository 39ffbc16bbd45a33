"""Newer tables upstream: found, checked, taken in for review; anything odd stops it with one line and nothing
written.
"""

import hashlib
import json
import socket
import subprocess
import threading

import pytest

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.data import download, newer

OLD, NEW = "b" * 40, "c" * 40
TABLE = "model,top1\nlevit_128,78.6\n"
THEN, WAS, IS = "2022-04-01", "2026-08-08", "2096-01-05"  # vintages
DAY, EARLIER = "2096-01-03", "2025-10-30"  # of files


class Upstream:
    """Stands for GitHub: answers by the end of the address."""

    def __init__(self):
        self.commit, self.date, self.asked = NEW, f"{IS}T10:00:00Z", []
        self.files = {"results-imagenet.csv": TABLE, "same.csv": TABLE, "benchmark-new.csv": TABLE}
        self.extra = [{"name": "README.md", "type": "file"}, {"name": "old", "type": "dir"}]

    def get(self, url):
        self.asked.append(url)
        if "path=results/" in url:
            return json.dumps([{"sha": "d" * 40, "commit": {"committer": {"date": f"{DAY}T01:00:00Z"}}}]).encode()
        if "/commits?" in url:
            return json.dumps([{"sha": self.commit, "commit": {"committer": {"date": self.date}}}]).encode()
        if "/contents/" in url:
            return json.dumps([*({"name": name, "type": "file"} for name in self.files), *self.extra]).encode()
        return self.files[url.rsplit("/", 1)[1]].encode()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def pin(folder, monkeypatch, files):
    """Pin these files as the newest vintage, `WAS`."""
    older = {"commit": "a" * 40, "files": {"a.csv": {"date": "2022-03-29", "sha256": "1"}}}
    facts = {"repository": "x/y", "licence": "MIT", "vintages": {THEN: older, WAS: {"commit": OLD, "files": files}}}
    path = folder / "scripts/data/vintages.json"
    path.write_text(json.dumps(facts))
    monkeypatch.setattr(download, "PINNED", path)
    monkeypatch.setattr(download, "VINTAGES", {vintage: one["commit"] for vintage, one in facts["vintages"].items()})
    download.pinned.cache_clear()


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A project whose newest vintage is that of `WAS`, and a GitHub that has a newer one."""
    made = Upstream()
    monkeypatch.setattr(newer, "get", made.get)
    for name, value in {
        "CACHE": tmp_path / ".cache",
        "OUT": tmp_path / "build/newer",
        "DATA": tmp_path / "report/data",
    }.items():
        monkeypatch.setattr(newer, name, value)
    monkeypatch.setattr(newer.git, "ROOT", tmp_path)
    monkeypatch.setattr(newer, "relative", lambda path: path.relative_to(tmp_path).as_posix())
    for folder in ("scripts/data", "tests", "report/data", "build"):
        (tmp_path / folder).mkdir(parents=True)
    before = {"results-imagenet.csv": digest(TABLE.replace("78.6", "78.5")), "same.csv": digest(TABLE), "gone.csv": "2"}
    pin(tmp_path, monkeypatch, {name: {"date": EARLIER, "sha256": sha256} for name, sha256 in before.items()})
    made.root = tmp_path
    yield made
    download.pinned.cache_clear()


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts}


def test_newer_tables_are_taken_in(upstream, capsys):
    assert newer.main([]) == 0
    news = json.loads((upstream.root / "build/newer/news.json").read_text())
    assert news == {
        "vintage": IS,
        "commit": NEW,
        "previous": WAS,
        "new": ["benchmark-new.csv"],
        "changed": ["results-imagenet.csv"],
        "gone": ["gone.csv"],
    }
    text = download.PINNED.read_text()
    made = json.loads(text)["vintages"]
    assert list(made) == [THEN, IS] and made[IS]["commit"] == NEW and len(text.splitlines()) == 20, "a line per file"
    assert made[IS]["files"] == {
        "benchmark-new.csv": {"date": DAY, "sha256": digest(TABLE)},
        "results-imagenet.csv": {"date": DAY, "sha256": digest(TABLE)},
        "same.csv": {"date": EARLIER, "sha256": digest(TABLE)},
    }
    assert not [url for url in upstream.asked if "same.csv" in url and "/commits?" in url], "its day is known"
    assert all(f"sha={NEW}" in url for url in upstream.asked if "path=results/" in url), "as of the commit taken in"
    assert "1 new, 1 changed, 1 gone" in capsys.readouterr().out


@pytest.mark.parametrize("same", ["commit", "tables"])
def test_without_news_nothing_is_written(upstream, monkeypatch, capsys, same):
    if same == "commit":
        upstream.commit = OLD
    else:
        upstream.files = {"results-imagenet.csv": TABLE}
        pin(upstream.root, monkeypatch, {"results-imagenet.csv": {"date": EARLIER, "sha256": digest(TABLE)}})
    before = files(upstream.root)
    assert newer.main([]) == 0
    assert "nothing" in capsys.readouterr().out and files(upstream.root) == before


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda u: setattr(u, "commit", "main; rm -rf /"), "not the answer of GitHub"),
        (lambda u: setattr(u, "date", "yesterday"), "not the answer of GitHub"),
        (lambda u: setattr(u, "date", "2020-01-01T00:00:00Z"), "are not newer"),
        (lambda u: setattr(u, "files", {}), "0 tables"),
        (lambda u: setattr(u, "files", {f"{n}.csv": TABLE for n in range(300)}), "300 tables"),
        (lambda u: u.files.update({"x.csv": "<html>"}), "a web page"),
        (lambda u: u.files.update({"x.csv": "a,b\n1\n"}), "1 cells where the header has 2"),
        (lambda u: u.files.update({"x.csv": "a,b\n1,2"}), "has no end"),
    ],
)
def test_what_is_odd_upstream_stops_it(upstream, capsys, spoil, words):
    spoil(upstream)
    before = files(upstream.root)
    assert newer.main([]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert files(upstream.root) == before


def test_a_name_that_leads_elsewhere_is_not_taken(upstream):
    upstream.extra = [{"name": "../../evil.csv", "type": "file"}, {"name": "a b.csv", "type": "file"}]
    assert set(newer.fetch(NEW, IS, {})) == {"results-imagenet.csv", "same.csv", "benchmark-new.csv"}


def test_the_proposal_names_joins_and_changed_findings_as_text(upstream):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            cwd=upstream.root,
            check=True,
            capture_output=True,
        )

    def findings(vintage, verdict, evidence="x"):
        header = "claim vintage hardware part precision layout compiled torch verdict evidence".split()
        rows = [
            ["levit_fastest", vintage, "rtx5090", "infer", "amp", "nchw", "False", "2.9.1", verdict, evidence],
            ["same", vintage, "rtx5090", "infer", "amp", "nchw", "False", "2.9.1", "holds", "y"],
        ]
        (upstream.root / "report/data/findings.csv").write_text(
            "\n".join(",".join(row) for row in [header, *rows]) + "\n"
        )

    (upstream.root / "images").mkdir()
    (upstream.root / ".gitignore").write_text("build/\n.cache/\n")
    findings(WAS, "holds")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "x")
    newer.main([])
    findings(IS, "fails", "<img src=x onerror=alert(1)> [x](https://evil.example) @all | x")
    (upstream.root / "report/data/joins.csv").write_text(
        f"vintage,file,matched\n{WAS},old.csv,1\n{IS},benchmark-new.csv,7\n"
    )
    (upstream.root / "images/new.jpg").write_bytes(b"\xff\xd8\x00")
    assert newer.main(["--proposal"]) == 0
    body = (upstream.root / "build/newer/body.md").read_text()
    assert "Findings that changed: 1" in body and "| levit_fastest | rtx5090 | 2.9.1 | False | holds | fails |" in body
    assert f"| {IS} | benchmark-new.csv | 7 |" in body and "old.csv" not in body
    for sign in ("<img", "](", "://", "@all", "| x |"):
        assert sign not in body
    patch = (upstream.root / "build/newer/changes.patch").read_text()
    assert "scripts/data/vintages.json" in patch and "images/new.jpg" in patch


def test_a_proposal_without_news(upstream, capsys):
    assert newer.main(["--proposal"]) == 2
    assert "make newer" in capsys.readouterr().err


def test_no_network_is_one_line(monkeypatch):
    monkeypatch.setattr(newer, "API", "http://127.0.0.1:9/repos")
    with pytest.raises(UserError, match="refuses the connection|cannot be reached"):
        newer.last_change("results")


def test_a_connection_that_breaks_halfway_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def half():
            with server.accept()[0] as client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nmodel,top1")

        threading.Thread(target=half, daemon=True).start()
        with pytest.raises(UserError, match="refuses the connection|cannot be reached"):
            newer.get(f"http://127.0.0.1:{server.getsockname()[1]}/table.csv")


def test_what_is_pinned_is_written_as_it_is_committed():
    assert newer.written(download.pinned()) == download.PINNED.read_text()


def test_no_script_types_a_vintage():
    """A vintage's name stands in vintages.json alone, so that taking one in changes no script."""
    typed = [
        path
        for path in (ROOT / "scripts").rglob("*.py")
        if any(vintage in path.read_text(encoding="utf-8") for vintage in download.VINTAGES)
    ]
    assert typed == []
