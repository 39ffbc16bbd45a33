"""Numbers and lists in words."""

import pytest

from scripts.common import words


@pytest.mark.parametrize(
    "said, is_",
    [
        (words.rate(33.2), "33.2"),
        (words.rate(1074), "1.07k"),
        (words.short(0.05), "0.05"),
        (words.short(20_000), "20k"),
        (words.short(1_500_000), "1.5M"),
        (words.plain(64_234), "64,200"),
        (words.plain(0.0471), "0.0471"),
        (words.counted(1, "model"), "1 model"),
        (words.counted(2_000, "class", "classes"), "2,000 classes"),
        (words.listing([]), ""),
        (words.listing(["a"]), "a"),
        (words.listing(["a", "b", "c"], "or"), "a, b or c"),
        (words.duration(7.6), "8 s"),
        (words.duration(185), "3 min 05 s"),
        (words.duration(7_800), "2 h 10 min"),
        (words.wait(5), "5 ms"),
        (words.wait(200_000), "3 min 20 s"),
        (words.day("2026-08-08"), "8 August 2026"),
        (words.day("unknown"), "unknown"),
    ],
)
def test_how_numbers_and_lists_are_written(said, is_):
    assert said == is_


def test_a_negative_number_has_a_minus_sign():
    assert words.signed(-0.784) == "−0.78" and words.signed(1.5, 1) == "1.5"
