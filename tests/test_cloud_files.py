"""Archives that come back from a rented machine, made by somebody else: nothing but tables and networks, in bounds."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from scripts.cloud import files
from scripts.common.errors import UserError
from tests.bounds import bounded

GOOD, KINDS = "zoo-a-b.csv", (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)


def packed(*members: tuple[str, bytes, bytes]) -> bytes:
    """A .tar.gz of (name, kind, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", errors="surrogatepass") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(folder, content: bytes) -> tuple[list[str], str]:
    """(files that were written, the line that was said)."""
    shutil.rmtree(folder / "in", ignore_errors=True)
    (folder / "a.tar.gz").write_bytes(content)
    said = ""
    with bounded():
        try:
            files.unpack(folder / "a.tar.gz", folder / "in")
        except UserError as error:
            said = str(error)
    assert {path.name for path in folder.iterdir()} <= {"in", "a.tar.gz"} and said.isprintable() and len(said) < 400
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[1:], said


NAMES = st.sampled_from(
    ["..", "/", "zoo-a-b.csv", "net", "model.safetensors", "model.pkl", ".bashrc", "run.py", "\0", " "]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.lists(NAMES | st.text(max_size=5), min_size=1, max_size=4).map("/".join),
            st.sampled_from(KINDS),
            st.binary(max_size=50),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_no_table_of_ours_is_not_unpacked(tmp_path, members):
    found, _ = unpacked(tmp_path, packed(*members))
    for name in found:
        assert files.TABLE.fullmatch(name[3:]) or files.NETWORK.fullmatch(name[3:])
        assert not (tmp_path / name).is_symlink()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damaged_archive_ends_in_a_traceback(tmp_path, data):
    """A hundred archives whose headers have bytes changed, packed again so that their checksum holds."""
    content = bytearray(
        gzip.decompress(packed((GOOD, tarfile.REGTYPE, b"a\n1\n"), ("n/config.json", tarfile.REGTYPE, b"{}")))
    )
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, 1500))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # the header's own checksum, too
        content[148:156] = b"%06o\0 " % (sum(content[:148]) + 8 * 32 + sum(content[156:512]))
    unpacked(tmp_path, gzip.compress(bytes(content)))


def header(name: str, kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "head, zeros",
    [
        (header(GOOD, tarfile.REGTYPE, 4 * 2**30), 4 * 2**30),  # four gigabytes in four megabytes
        (header("x", tarfile.XHDTYPE, 2 * 2**30), 2 * 2**30),  # two gigabytes of notes on the next file
        (header("x", tarfile.GNUTYPE_LONGNAME, 2 * 2**30), 2 * 2**30),  # of a name
        (header(GOOD, tarfile.GNUTYPE_SPARSE, 2**33), 0),
        (header(GOOD, tarfile.REGTYPE, 2**60), 0),
    ],
    ids=["file", "notes", "name", "sparse", "claim"],
)
def test_a_bomb_is_one_line(tmp_path, head, zeros):
    block = gzip.compress(bytes(2**24))  # gzip streams one after the other are one
    found, said = unpacked(tmp_path, gzip.compress(head) + block * (zeros >> 24))
    assert said and all((tmp_path / name).stat().st_size < 2**20 for name in found)


def test_a_full_disk_is_said(tmp_path, small_disk):
    (tmp_path / "a.tar.gz").write_bytes(packed((GOOD, tarfile.REGTYPE, bytes(10**5))))
    with pytest.raises(UserError, match="disk is full"):
        files.unpack(tmp_path / "a.tar.gz", small_disk / "in")
