"""The lines to copy: each is whole, in every runtime and precision."""

from __future__ import annotations

import ast

import pytest

from scripts.runtimes import export, kinds, lines


@pytest.mark.parametrize("runtime", list(lines.TEMPLATES))
@pytest.mark.parametrize("precision", kinds.PRECISIONS)
def test_no_gap_is_left_and_python_can_read_them(runtime, precision, capsys):
    if precision not in kinds.RUNTIMES[runtime].precisions:
        return
    found = lines.of("levit_256.fb_dist_in1k", 224, runtime, precision)
    assert not any("{" + name + "}" in line for line in found for name in ("model", "size", "folder", "hint", "cast"))
    code = [line for line in found if not line.startswith("python ")]
    ast.parse("\n".join(code))
    if kinds.RUNTIMES[runtime].exported:
        options = found[0].split()[3:]
        assert ("--pictures" in options) == (precision == "int8")
        with pytest.raises(SystemExit):
            export.main([*options, "--help"])
        assert f"models/runtimes/levit_256.fb_dist_in1k-{runtime}-{precision}/" in "\n".join(code)
    else:
        assert "levit_256.fb_dist_in1k" in code[0] and ("bfloat16" in code[0]) == (precision == "bf16")


def test_what_is_no_name_stays():
    assert lines.filled('{a} {"HINT": "{b}"} {}', {"a": 1, "b": "{a}"}) == '1 {"HINT": "{a}"} {}'
