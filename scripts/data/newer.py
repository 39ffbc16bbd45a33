"""Has timm published newer tables? Takes them in as the new vintage, for someone to review; the weekly workflow makes a
pull request of it.

    make newer          # looks upstream; with news: downloads, pins commit and checksums, writes build/newer/news.json
    # after `make figures`: build/newer/body.md (join audit, findings that changed) and changes.patch
    make proposal

The newest vintage is replaced in vintages.json: its commit, and for each file the day on which it last changed and its
checksum. The older one, from which the original analysis was drawn, stays. Nothing is committed here.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys

import pandas as pd

from scripts.common import git, net
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.files import sha256
from scripts.common.paths import BUILD, CACHE, DATA, atomic_write, relative
from scripts.common.tables import read_table, read_text
from scripts.data import download

REPOSITORY = download.pinned()["repository"]
API = f"https://api.github.com/repos/{REPOSITORY}"
OUT = BUILD / "newer"
MAX_FILES, MAX_BYTES = 200, 8 * 2**20  # there are 31 tables, the largest of 0.2 MB
FINDING = ["claim", "hardware", "part", "precision", "layout", "compiled", "torch"]  # a finding's, but for the vintage


def get(url: str) -> bytes:
    """What `url` answers. Raises UserError: no network, an error, too large."""
    import requests
    import urllib3

    token = os.environ.get("GITHUB_TOKEN", "") if url.startswith(API) else ""  # nobody else is shown it
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with requests.get(url, timeout=(5, 30), stream=True, headers=headers) as answer:
            answer.raise_for_status()
            content = answer.raw.read(MAX_BYTES + 1, decode_content=True)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:  # the latter while it is read
        status = getattr(getattr(error, "response", None), "status_code", None)
        what = f"answers {status}" if status else net.why(error, url) or "cannot be reached"
        raise UserError(f"{url.split('?')[0]}: {what}; try again later") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{url.split('?')[0]}: more than {MAX_BYTES // 2**20} MB; is this still a table?")
    return content


def last_change(path: str, commit: str = "") -> tuple[str, str]:
    """(commit, day) of the last change to `path`, as of `commit`. Raises UserError: the answer is not GitHub's."""
    try:
        (head, *_) = json.loads(get(f"{API}/commits?path={path}&per_page=1{f'&sha={commit}' if commit else ''}"))
        found, day = head["sha"], head["commit"]["committer"]["date"][:10]
        if not (re.fullmatch(r"[0-9a-f]{40}", found) and re.fullmatch(r"\d{4}-\d\d-\d\d", day)):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{API}/commits: not the answer of GitHub's API; try again later") from None
    return found, day


def fetch(commit: str, vintage: str, before: dict[str, dict]) -> dict[str, dict]:
    """{table: its day and SHA-256} of timm's results at `commit`, each downloaded to the cache and read once. One that
    is as `before` keeps its day. Raises UserError for what is no table.
    """
    try:
        entries = json.loads(get(f"{API}/contents/results?ref={commit}"))
        listed = [entry["name"] for entry in entries if entry["type"] == "file"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{API}/contents: not the answer of GitHub's API; try again later") from None
    names = sorted(name for name in listed if re.fullmatch(r"[\w.-]+\.csv", name, re.ASCII))
    if not 0 < len(names) <= MAX_FILES:
        raise UserError(
            f"timm's results at {commit[:10]}: {len(names)} tables, which cannot be; look at "
            f"{API.replace('api.', '').replace('repos/', '')}"
        )
    folder, found = CACHE / "timm-results" / vintage, {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        address = download.REMOTE.format(repository=REPOSITORY, commit=commit, file=name)
        path = atomic_write(folder / name, get(address))
        read_text(path)
        digest = sha256(path)
        known = before.get(name, {})
        day = known["date"] if known.get("sha256") == digest else last_change(f"results/{name}", commit)[1]
        found[name] = {"date": day, "sha256": digest}
    return found


def take_in(commit: str, date: str, tables: dict[str, dict]) -> dict:
    """Put the vintage in place of the newest one. Returns what is new, changed and gone among its tables."""
    then, old = list(download.VINTAGES)
    if date <= old:
        raise UserError(
            f"timm's results of {date} ({commit[:10]}) are not newer than those of {old}; look at what happened "
            "upstream"
        )
    facts = download.pinned()
    before = facts["vintages"][old]["files"]
    vintages = {then: facts["vintages"][then], date: {"commit": commit, "files": tables}}
    atomic_write(download.PINNED, written({**facts, "vintages": vintages}))
    return {
        "vintage": date,
        "commit": commit,
        "previous": old,
        "new": sorted(set(tables) - set(before)),
        "gone": sorted(set(before) - set(tables)),
        "changed": sorted(name for name in set(tables) & set(before) if tables[name] != before[name]),
    }


def written(facts: dict) -> str:
    """vintages.json as text, a line per file."""
    text = json.dumps(facts, indent=1)
    return re.sub(r'\{\s+("date": "[^"]*"),\s+("sha256": "[^"]*")\s+\}', r"{\1, \2}", text) + "\n"


def look() -> dict | None:
    """The news, taken in; None where there are none."""
    old = list(download.VINTAGES)[1]
    commit, date = last_change("results")
    if commit == download.VINTAGES[old]:
        return None
    before = download.pinned()["vintages"][old]["files"]
    tables = fetch(commit, date, before)
    if tables == before:  # the commit touched something else
        return None
    return take_in(commit, date, tables)


def body(news: dict) -> str:
    """The pull request's text: tables, join audit, findings that changed; data from upstream, shown as text."""
    files = [
        f"- {word}: {', '.join(f'`{_plain(name)}`' for name in news[word])}"
        for word in ("new", "changed", "gone")
        if news[word]
    ]
    joins, changed = read_table(DATA / "joins.csv"), findings(news)
    parts = [
        f"timm's tables changed upstream. This takes in the commit `{news['commit'][:12]}` of {news['vintage']} in "
        f"place of {news['previous']}.",
        "\n".join(files),
        "### What the join did",
        _markdown(joins[joins["vintage"] == news["vintage"]]),
        f"### Findings that changed: {len(changed)}",
        _markdown(changed) if len(changed) else "None.",
        "The figures: see the comment of *Figure diff*, once a commit of yours or a reopening has started the "
        "workflows.",
    ]
    return "\n\n".join(parts) + "\n"


def _git(*arguments: str) -> bytes:
    """What git prints. Raises UserError with its own reason."""
    if git.why_not():
        raise UserError(f"the proposal is a patch for git: {git.trouble()}")
    done = git.run(*arguments)
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {done.stderr.decode('utf-8', 'replace').strip()[-200:]}")
    return done.stdout


def findings(news: dict) -> pd.DataFrame:
    """Verdicts of the newest vintage that differ from the committed ones: claim, hardware, was, is, evidence."""
    kept = _git("show", f"HEAD:{relative(DATA)}/findings.csv").decode("utf-8")
    old = pd.read_csv(io.StringIO(kept), dtype=str, keep_default_na=False)
    new = read_table(DATA / "findings.csv")
    sides = [table[table["vintage"] == vintage] for table, vintage in ((old, news["previous"]), (new, news["vintage"]))]
    was, now = (side.rename(columns={"verdict": name}) for side, name in zip(sides, ("was", "is")))
    both = was[[*FINDING, "was"]].merge(now[[*FINDING, "is", "evidence"]], on=FINDING, how="outer").fillna("")
    return both.loc[both["was"] != both["is"], ["claim", "hardware", "torch", "compiled", "was", "is", "evidence"]]


def _markdown(frame: pd.DataFrame) -> str:
    """A GitHub table in which nothing is markup."""
    rows = (frame.columns, *frame.head(80).itertuples(index=False, name=None))
    head, *rest = (f"| {' | '.join(map(_plain, row))} |" for row in rows)
    return "\n".join([head, "|---" * frame.shape[1] + "|", *rest])


def _plain(value) -> str:
    return re.sub(r"[^\w .,:;%()/+→-]", "", str(value)).replace("://", ":")[:200]


@cli
def main(arguments: list[str] | None = None) -> None:
    parser = parser_of("scripts.data.newer", __doc__, "make newer")
    parser.add_argument(
        "--proposal", action="store_true", help="write the text and the patch of a pull request, once figures are drawn"
    )
    if parser.parse_args(arguments).proposal:
        try:
            news = json.loads((OUT / "news.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(
                f"{relative(OUT)}/news.json: not there; run `make newer` first, which writes it when there are newer "
                "tables"
            ) from None
        atomic_write(OUT / "body.md", body(news))
        _git("add", "--intent-to-add", "--", "report/data", "images")
        patch = _git("diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
        atomic_write(OUT / "changes.patch", patch)
        print(f"newer: {relative(OUT)}/body.md and changes.patch ({len(patch) / 1e6:.1f} MB)")
        return
    shutil.rmtree(OUT, ignore_errors=True)
    news = look()
    if news is None:
        print(f"newer: nothing; timm's tables of {list(download.VINTAGES)[1]} are the newest")
        return
    OUT.mkdir(parents=True)
    atomic_write(OUT / "news.json", json.dumps(news, indent=1) + "\n")
    counts = ", ".join(f"{len(news[word])} {word}" for word in ("new", "changed", "gone"))
    print(f"newer: tables of {news['vintage']}: {counts}; now `make figures`, `make proposal`, and look at `git diff`")


if __name__ == "__main__":
    sys.exit(main())
