import pytest

from scripts.common.errors import UserError, cli
from scripts.common.paths import ROOT, atomic_write, relative


def test_a_full_disk_is_one_line_and_leaves_the_old_file(small_disk):
    path = small_disk / "table.csv"
    atomic_write(path, "old\n")
    with pytest.raises(UserError, match="disk is full"):
        atomic_write(path, b"x" * 100_000)
    assert path.read_text() == "old\n"
    assert sorted(file.name for file in small_disk.iterdir()) == ["filler", "table.csv"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="no-such/deeper.*folder does not exist"):
        atomic_write(tmp_path / "no-such" / "deeper" / "table.csv", "x")


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(UserError, match="folder, not a file"):
        atomic_write(tmp_path / "table.csv", "x")
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_relative_never_shows_this_machine(tmp_path):
    assert relative(ROOT / "images" / "a.jpg") == "images/a.jpg"
    assert relative(tmp_path / "a.jpg") == "a.jpg"


def test_cli_turns_a_user_error_into_one_line(capsys):
    @cli
    def main():
        raise UserError("no such\nthing: x; do y")

    assert main() == 2
    assert capsys.readouterr().err == "error: no such thing: x; do y\n"


def test_cli_reports_an_interrupt(capsys):
    @cli
    def main():
        raise KeyboardInterrupt

    assert main() == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_cli_hides_no_defect_of_ours():
    @cli
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()
