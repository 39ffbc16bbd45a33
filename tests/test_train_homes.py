import pytest

from scripts.train import homes


@pytest.fixture
def root(tmp_path, monkeypatch, moved):
    monkeypatch.setattr(homes, "ROOT", tmp_path)
    moved(CACHE=tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    return tmp_path


def trained(home, data):
    home.mkdir(parents=True, exist_ok=True)
    homes.remember(home, str(data))
    return home.name


def test_a_model_of_other_photos_stays(root):
    first, second, third = (root / name / "images" for name in ("a", "b", "c"))
    assert trained(homes.home("pets", first), first) == "pets"
    assert trained(homes.home("pets", second), second) == "pets-images"
    assert trained(homes.home("pets", third), third) == "pets-images-2"
    for data, name in ((first, "pets"), (second, "pets-images"), (third, "pets-images-2")):
        assert homes.home("pets", data).name == name  # the same photos again take their own place


def test_the_same_folder_by_another_path_is_the_same(root):
    (root / "photos").mkdir()
    (root / "link").symlink_to("photos")
    trained(homes.home("pets", root / "photos"), root / "photos")
    assert homes.home("pets", root / "link").name == homes.home("pets", f"{root}/photos/../photos/").name == "pets"


def test_a_model_from_before_and_one_that_is_gone_are_replaced(root):
    (root / "models" / "pets").mkdir(parents=True)
    assert homes.home("pets", root / "x").name == "pets"
    trained(homes.home("pets", root / "x"), root / "x")
    (root / "models" / "pets").rmdir()
    assert homes.home("pets", root / "y").name == "pets"


def test_a_folder_elsewhere_is_not_noted(root):
    trained(root / "elsewhere" / "pets", root / "x")
    assert not list((root / "cache").iterdir())


def test_names_that_are_no_utf8(root):
    data = b"caf\xe9".decode(errors="surrogateescape")
    trained(homes.home("pets", root / "x"), root / "x")
    assert trained(homes.home("pets", root / data), root / data).startswith("pets-caf-")
