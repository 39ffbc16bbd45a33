"""What a step has made in the working folder, so that two outcomes can be compared: dates and times aside."""

from __future__ import annotations

import hashlib
import io
import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

# what a step may change
MADE = ("report/data", "images", "charts", "models", "runs", ".cache", "build", "_site", "tmp")
# facts that differ from run to run; whether checksums fit is asked
DATES = {"date", "seconds", "milliseconds", "sha256"}
TIMED = ("seconds", "seconds_per_epoch", "trial", "note", "date", "peak_memory_mb")  # columns that do


def look(made: tuple[str, ...]) -> dict[str, str]:
    """Path -> content of each file that `made` (patterns) names, dates and times aside; of others (caches, journals)
    the name alone, with # for what is drawn at random.
    """
    found = {}
    for folder in MADE:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() or path.is_symlink():
                name = path.as_posix()
                if any(fnmatch(name, pattern) for pattern in made) and not path.name.startswith("."):
                    found[name] = _plain(path)
                elif "/fonts/" not in name and "font-cache" not in name:
                    found[re.sub(r"[0-9a-f]{8,}|\d+", "#", name)] = ""
    return found


def odd() -> list[str]:
    """Files that are not what the checksum beside them says."""
    found = []
    for path in Path("report/data").glob("*.csv"):
        record = path.with_suffix(".json")
        facts = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        if facts.get("sha256", "") not in ("", hashlib.sha256(path.read_bytes()).hexdigest()):
            found.append(f"{path} and its sidecar are no pair")
    for sums in Path("models").rglob("SHA256SUMS"):
        found += [
            f"{sums.parent / line[66:]} is not the file of SHA256SUMS"
            for line in sums.read_text(encoding="utf-8").splitlines()
            if hashlib.sha256((sums.parent / line[66:]).read_bytes()).hexdigest() != line[:64]
        ]
    return found


def _plain(path: Path) -> str:
    """A file's content without dates and times, and with the rows of a table in one order."""
    content = path.read_bytes()
    if path.name == "SHA256SUMS":
        return "\n".join(line[66:] for line in content.decode().splitlines())
    if path.suffix == ".pkl":  # differs from run to run
        return ""
    try:
        if path.suffix == ".json":
            return json.dumps(_timeless(json.loads(content)), indent=1)
        if path.suffix == ".csv":
            frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
            if "state" in frame:  # of a search: trials that were killed are rows, too
                frame = frame[frame.state == "complete"].drop_duplicates([*frame.columns.drop(["trial", "seconds"])])
            frame = frame[[name for name in frame if not name.endswith(TIMED)]]
            if several := [name for name in frame if ":" in name]:  # a network's answers are a column or two
                frame = frame.melt(frame.columns.drop(several))
            return frame.sort_values([*frame.columns]).to_csv(index=False)
        if path.suffix == ".html":
            return re.sub(r"on \d{4}-\d\d-\d\d[^.<]*", "", content.decode())
    except (ValueError, pd.errors.ParserError):
        return "damaged"
    return hashlib.sha256(content).hexdigest()


def _timeless(value):
    if isinstance(value, dict):
        return {name: _timeless(one) for name, one in value.items() if name not in DATES}
    return [_timeless(one) for one in value] if isinstance(value, list) else value
