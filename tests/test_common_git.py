"""What is said where git tells nothing: a ZIP, a folder inside another repository, another owner, no git, no commit."""

import os
import subprocess

import pytest

from scripts.common import git, paths, provenance
from scripts.common.errors import UserError
from scripts.diff import sides

COMMIT = ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "--allow-empty", "-m", "x"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder as the project; project(…) runs git in it."""
    root = tmp_path / "a b'c-ü"
    root.mkdir()
    monkeypatch.setattr(git, "ROOT", root)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments, where=root):
        subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True)

    call.root = root
    return call


def test_a_checkout_has_its_commit(project):
    project("init", "-q")
    assert (provenance.git_commit(), git.why_not()) == (("", False), "")
    assert provenance.sidecar()["repository"] == "no commit yet"
    project(*COMMIT)
    commit, dirty = provenance.git_commit()
    assert len(commit) == 40 and dirty is False and "repository" not in provenance.sidecar()
    (project.root / "x").write_text("1")
    project("add", "x")
    assert provenance.git_commit() == (commit, True)


def no_repository(project, monkeypatch):
    return git.NO_REPOSITORY


def inside_another(project, monkeypatch):
    project("init", "-q", where=project.root.parent)
    project(*COMMIT, where=project.root.parent)
    return git.NO_REPOSITORY


def no_git(project, monkeypatch):
    monkeypatch.setenv("PATH", str(project.root))
    return git.NOT_INSTALLED


def another_owner(project, monkeypatch):
    project("init", "-q")
    project(*COMMIT)
    if os.geteuid():
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    else:
        for path in (project.root, project.root / ".git"):
            os.chown(path, 12345, 12345)
    monkeypatch.delenv("SUDO_UID", raising=False)
    return git.ANOTHER_OWNER


def damaged(project, monkeypatch):
    project("init", "-q")
    (project.root / ".git/config").write_text("[core\n")
    return "git: "


@pytest.mark.parametrize("case", [no_repository, inside_another, no_git, another_owner, damaged])
@pytest.mark.parametrize("language", ["C", "de_DE.UTF-8"])
def test_git_tells_nothing_for_a_reason(project, monkeypatch, case, language):
    monkeypatch.setenv("LANGUAGE", language)
    expected = case(project, monkeypatch)
    assert git.why_not().startswith(expected)
    assert provenance.git_commit() == ("", None)  # not "clean"
    facts = provenance.sidecar()
    assert facts["dirty"] is None and facts["repository"].startswith(expected)
    assert str(project.root) not in facts["repository"]
    for look in (sides.default_base, sides.side("HEAD~1").__enter__):
        with pytest.raises(UserError, match=r"--base DIR") as refused:
            look()
        assert expected in str(refused.value) and "\n" not in str(refused.value)
        assert case is not another_owner or "safe.directory" in str(refused.value)


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"])
def test_another_repository_that_the_environment_names_is_none_of_ours(project, monkeypatch, name, tmp_path):
    project("init", "-q")
    project(*COMMIT)
    expected = provenance.git_commit()
    other = tmp_path / "dotfiles"
    other.mkdir()
    project("init", "-q", where=other)
    project(*COMMIT[:-1], "another", where=other)
    ends = {"GIT_OBJECT_DIRECTORY": "objects", "GIT_INDEX_FILE": "index"}
    monkeypatch.setenv(name, str(other / ".git" / ends.get(name, "")))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert provenance.git_commit() == expected and expected[0] and git.why_not() == ""
    (project.root / ".git").rename(project.root / "no")
    assert provenance.git_commit() == ("", None) and git.why_not() == git.NO_REPOSITORY


def test_what_git_prints_follows_no_taste_of_the_user(project, monkeypatch):
    project("init", "-q")
    (project.root / "ä b.csv").write_text("1\n")
    project("add", ".")
    project(*COMMIT)
    asked = [("log", "--format=%x1e%H", "--name-status"), ("diff", "--no-ext-diff", "HEAD"), ("status", "--porcelain")]
    (project.root / "ä b.csv").write_text("2\n")
    plain = [git.says(*words) for words in asked]
    assert all("ä b.csv" in text for text in plain)
    for setting in ("color.ui always", "core.quotePath true", "diff.external false", "diff.noprefix true",
                    "log.showSignature true", "diff.mnemonicPrefix true"):  # fmt: skip
        project("config", *setting.split())
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    assert [git.says(*words) for words in asked] == plain


def test_a_clone_under_windows_settings_has_our_line_ends(tmp_path):
    """Checksums of tables and sidecars rest on LF; photos and fonts stay as they are."""
    named = git.says("ls-files", "-z")
    if not named:
        pytest.skip("no repository here")
    endings = {os.path.basename(name) if "." not in name[1:] else f"x.{name.rpartition('.')[2]}"
               for name in named.split("\0") if name}  # fmt: skip
    source, clone = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    (source / ".gitattributes").write_bytes((paths.ROOT / ".gitattributes").read_bytes())
    for name in endings - {".gitattributes"}:
        (source / name).write_bytes(b"\0\r\n\n" if name.endswith(("jpg", "png", "woff2")) else b"a\nb\n")
    for words in (["init", "-q"], ["add", "."], [*COMMIT]):
        subprocess.run(["git", *words], cwd=source, check=True, capture_output=True)
    windows = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    subprocess.run(["git", *windows, "clone", "-q", str(source), str(clone)], check=True)
    assert len(endings) > 10
    for name in endings:
        assert (clone / name).read_bytes() == (source / name).read_bytes(), name
