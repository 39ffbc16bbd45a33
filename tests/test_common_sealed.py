import pytest

from scripts.common import sealed
from scripts.common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    sealed.seal(tmp_path, {"config.json": b'{\n "a": 1\n}\n', "model.bin": bytes(range(256))})
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"".join(line[:64].upper() + b" *" + line[66:] for line in text.splitlines(True)),
        lambda text: text.rstrip(b"\n"),
    ],
)  # fmt: skip
def test_checksums_that_an_editor_saved_are_read(folder, change):
    file = folder / sealed.SUMS
    before = sealed.checksums(folder)
    file.write_bytes(change(file.read_bytes()))
    assert sealed.checksums(folder) == before
    assert sealed.verified(folder, "model.bin", before) == bytes(range(256))


def test_line_ends_that_were_changed_are_named(folder):
    file = folder / "config.json"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(UserError, match="line ends were changed"):
        sealed.verified(folder, "config.json", sealed.checksums(folder))
    file.write_bytes(b"another")
    with pytest.raises(UserError, match="checksum is not the one"):
        sealed.verified(folder, "config.json", sealed.checksums(folder))
