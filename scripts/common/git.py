"""The project's repository, where there is one: a ZIP from GitHub has none, git may be missing, the folder may be
somebody else's. Each has another remedy.
"""

from __future__ import annotations

import os
import re
import subprocess

from scripts.common.paths import ROOT

NO_REPOSITORY = "no repository"
NOT_INSTALLED = "git is not installed"
ANOTHER_OWNER = "the repository belongs to another user"
REMEDY = {
    NO_REPOSITORY: "a ZIP has none; clone the project with git",
    NOT_INSTALLED: "install it",
    ANOTHER_OWNER: f"git config --global --add safe.directory '{ROOT}' trusts it",
}


# What says which repository git works on: a hook's, or that of the user's dotfiles, not this folder's.
ELSEWHERE = {f"GIT_{name}" for name in ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY",
                                        "NAMESPACE", "PREFIX", "SHALLOW_FILE", "EXTERNAL_DIFF")}  # fmt: skip
# The user's taste in what git prints.
PLAIN = ("color.ui=false", "core.quotePath=false", "diff.mnemonicPrefix=false", "diff.noprefix=false",
         "log.showSignature=false")  # fmt: skip


def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[bytes]:
    """git in the project's folder, in English and whatever the user's settings say. Raises OSError without git,
    subprocess.TimeoutExpired.
    """
    settings = [word for setting in PLAIN for word in ("-c", setting)]
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return subprocess.run(
        ["git", "-C", str(ROOT), *settings, *arguments],
        capture_output=True,
        timeout=timeout,
        env={**kept, "LC_ALL": "C.UTF-8", "LANGUAGE": "C"},  # `why_not` reads what git says
    )


def says(*arguments: str, timeout: float = 60) -> str:
    """What git prints, '' where it fails."""
    try:
        done = run(*arguments, timeout=timeout)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def why_not() -> str:
    """Why nothing is known of the project's commit, in a few words; '' where git answers. A repository that only lies
    around the project's folder is none of it.
    """
    try:
        done = run("rev-parse", "--show-toplevel", timeout=20)
    except FileNotFoundError:
        return NOT_INSTALLED
    except (OSError, subprocess.SubprocessError):
        return "git does not answer"
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == 0:
        top = os.fsdecode(done.stdout.rstrip(b"\n"))
        return "" if os.path.realpath(top) == os.path.realpath(ROOT) else NO_REPOSITORY
    if "dubious ownership" in said or "safe.directory" in said:
        return ANOTHER_OWNER
    if re.search(r"not a git repository", said) or not (ROOT / ".git").exists():
        return NO_REPOSITORY
    return f"git: {said.splitlines()[-1][:120]}" if said else "git does not answer"


def trouble() -> str:
    """`why_not` with its remedy, for a message."""
    reason = why_not()
    return f"{reason}; {REMEDY[reason]}" if reason in REMEDY else reason
