"""Set-up with pretended outside worlds: no network, no venv module, no Chrome, no Quarto. Each is one line; nothing
is half done.
"""

import re
import sys

import pytest

from scripts.common.paths import ROOT
from scripts.setup import install


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A project folder of its own, and a switch per outside thing: what `run` was asked, and what of it succeeds."""
    (tmp_path / "build").mkdir()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "LOG", tmp_path / "build" / "setup.log")
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(install, "UNVERIFIED", [])
    monkeypatch.setattr(sys, "argv", ["install.py"])
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    asked, works = [], {"": True}

    def run(*command, **_):
        asked.append(" ".join(command))
        return all(good for word, good in works.items() if word in asked[-1])

    monkeypatch.setattr(install, "run", run)
    monkeypatch.setattr(install, "make_venv", lambda **_: works.get("venv", True))
    monkeypatch.setattr(install, "look_for_browser", lambda: works.get("browser", "/usr/bin/chromium"))
    return asked, works


def test_no_network_is_one_line_that_says_where_to_look(world, capsys):
    world[1]["install"] = False
    assert install.main() == 2
    err = capsys.readouterr().err
    assert err.startswith("error: setup: could not install requirements.lock") and len(err.splitlines()) == 1
    assert not (install.VENV / "found.json").exists()


@pytest.mark.parametrize(
    "system, machine, about, light, said",
    [
        ("Linux", "x86_64", ("glibc", "2.28"), False, ""),
        ("Linux", "x86_64", ("glibc", "2.17"), False, "glibc 2.17 is too old .*glibc 2.28"),
        ("Linux", "x86_64", ("", ""), True, "without glibc, such as Alpine"),
        ("Linux", "aarch64", ("glibc", "2.31"), False, "glibc 2.31 is too old .*glibc 2.35"),
        ("Linux", "aarch64", ("glibc", "2.31"), True, ""),
        ("Darwin", "arm64", "14.5", False, ""),
        ("Darwin", "arm64", "13.6", False, "macOS 13.6 is too old"),
        ("Darwin", "x86_64", "14.5", False, "no packages for Intel Macs"),
        ("Darwin", "x86_64", "14.5", True, ""),
    ],
)
def test_a_platform_without_packages_is_named_before_anything_is_downloaded(
    world, monkeypatch, capsys, system, machine, about, light, said
):
    monkeypatch.setattr(sys, "argv", ["install.py", *["--light"] * light])
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: about)
    monkeypatch.setattr("platform.mac_ver", lambda: (about, ("", "", ""), machine))
    assert install.main() == (2 if said else 0)
    err = capsys.readouterr().err
    assert re.search(said, err) and len(err.splitlines()) == bool(said) and bool(world[0]) is not bool(said)


def test_pip_takes_over_where_uv_fails(world):
    world[1]["bin/uv"] = False
    assert install.main() == 0
    assert any("-m pip install" in command and command.endswith("/requirements.lock") for command in world[0])


def test_hashes_are_always_required(world):
    install.main()
    installs = [command for command in world[0] if "requirements" in command]
    assert installs and all("--require-hashes" in command for command in installs)


def test_the_light_set_has_no_torch(world, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["install.py", "--light"])
    assert install.main() == 0
    assert any(command.endswith("requirements-site.lock") for command in world[0])
    assert not any(command.endswith("/requirements.lock") for command in world[0])
    assert not re.search(r"^(torch|fastai|timm)==", (ROOT / "requirements-site.lock").read_text(), re.M)


def test_the_cloud_packages_get_an_environment_of_their_own(world, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["install.py", "--cloud"])
    assert install.main() == 0
    commands = [command for command in world[0] if "requirements-cloud.lock" in command]
    assert commands and all(".venv/cloud/bin/python" in one and "--require-hashes" in one for one in commands)
    assert not any("requirements.lock" in command.split("/")[-1] for command in commands)
    world[1]["requirements-cloud"] = False  # no network, say
    assert install.main() == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and "could not install requirements-cloud.lock" in err
    assert "works without it" in err


def test_the_cloud_lock_is_complete_but_for_what_is_left_out_on_purpose():
    """It is installed without looking at what packages ask for, so a package that is missing would be found by an
    import only."""
    pins = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements-cloud.lock").read_text(), re.M))
    wanted = {
        line.split("#")[0].strip().partition("[")[0]
        for line in (ROOT / "requirements-cloud.in").read_text().splitlines()
        if line.split("#")[0].strip()
    }
    left_out = set((ROOT / "requirements-cloud-excludes.txt").read_text().split("\n")[1:]) - {""}
    assert wanted <= pins and left_out and not left_out & pins and not {"torch", "pyarrow"} & pins


def test_without_chrome_and_quarto_it_says_what_happens_then(world, capsys):
    world[1].update({"browser": None, "quarto-cli": False, "bin/quarto": False, "plotly_get_chrome": False})
    assert install.main() == 0
    out = capsys.readouterr().out
    assert "committed pictures" in out and "built-in renderer" in out


@pytest.mark.parametrize("chrome, quarto", [(True, True), (True, False), (False, True), (False, False)])
def test_what_was_downloaded_without_a_checksum_is_said(world, monkeypatch, capsys, chrome, quarto):
    found = iter([None, "/plotly/chrome" if chrome else None])  # before and after Plotly's download
    monkeypatch.setattr(install, "look_for_browser", lambda: next(found))
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    world[1]["quarto-cli"] = quarto
    assert install.main() == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "not verified by a checksum" in line]
    assert [line.split(": ")[2].split(",")[0] for line in said] == ["Chrome"] * chrome + ["Quarto"] * quarto
    assert all("install it yourself before `make setup`" in line for line in said)


def test_what_the_machine_has_is_not_called_unverified(world, monkeypatch, capsys):
    monkeypatch.setattr(install.shutil, "which", lambda name: sys.executable if name == "quarto" else None)
    assert install.main() == 0 and "not verified" not in capsys.readouterr().out


def test_a_broken_venv_module_is_one_line(world, capsys):
    world[1]["venv"] = False
    assert install.main() == 2
    assert "python3-venv" in capsys.readouterr().err


@pytest.mark.parametrize("version, makes", [(sys.version_info[:2], 0), ((3, 9), 1)])
def test_another_python_than_the_one_asked_for_is_replaced(tmp_path, monkeypatch, version, makes):
    made = []
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(install, "LOG", tmp_path / "setup.log")
    install.PYTHON.parent.mkdir(parents=True)
    install.PYTHON.touch()
    # the .venv's Python is of `version`
    monkeypatch.setattr(install, "run", lambda *command: "pip" in command or command[-1].endswith(f"!= {version})"))
    monkeypatch.setattr(install.venv.EnvBuilder, "create", lambda builder, folder: made.append(folder))
    assert install.make_venv() and len(made) == makes
    assert install.make_venv(any_python=True) and len(made) == makes


def test_an_old_python_is_refused(world, capsys, monkeypatch):
    monkeypatch.setattr(install, "OLDEST_PYTHON", (99, 0))
    assert install.main() == 2
    assert "too old" in capsys.readouterr().err and not world[0]


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-site.lock", "requirements-setup.lock", "requirements-cloud.lock"]
)
def test_locks_name_versions_and_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text()
    names = re.findall(r"^([a-z0-9._-]+)==[^\s\\]+", text, re.M)
    assert names and "://" not in text
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_both_locks_pin_the_same_versions():
    def pins(lock):
        return set(re.findall(r"^([a-z0-9._-]+==[^\s\\]+(?: ; [^\\\n]+)?)", (ROOT / lock).read_text(), re.M))

    light, full = ({pin.strip() for pin in pins(lock)} for lock in ("requirements-site.lock", "requirements.lock"))
    versions = {pin.split(" ;")[0] for pin in full}
    assert {pin.split(" ;")[0] for pin in light} <= versions


@pytest.mark.parametrize(
    "setting", ["user = true", "target = /tmp/elsewhere", "prefix = /tmp/elsewhere", "dry-run = true"]
)
def test_pips_own_settings_move_no_package_out_of_the_environment(setting, tmp_path, monkeypatch):
    """pip itself, asked what it would do in an environment under such a pip.conf."""
    (tmp_path / "pip.conf").write_text(
        f"[install]\n{setting}\n[global]\nindex-url = https://example.org/a'b\n", encoding="utf-8"
    )
    install.surroundings.cache_clear()
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setattr(install, "LOG", tmp_path / "log")
    code = (
        "from pip._internal.commands.install import InstallCommand\nfound, _ = InstallCommand('install', "
        "'').parse_args([])\nprint('found', bool(found.use_user_site), found.target_dir, found.prefix_path, "
        "bool(found.dry_run), found.index_url)"
    )
    monkeypatch.setenv("PIP_TARGET", "/tmp/else")
    assert install.run(sys.executable, "-I", "-c", code)
    assert "found False None None False https://example.org/a'b" in install.LOG.read_text(encoding="utf-8")
    install.surroundings.cache_clear()
