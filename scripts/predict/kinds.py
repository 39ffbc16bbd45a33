"""How far a machine is from those that were timed: what a prediction for it may lean on, and how it is tested.

    kinds.case("nvidia_h200", {"rtx3090", "rtx4090"})        # 'new': no card of its generation is known
    kinds.left_out("rtx5090", machines, "new")               # whose tables are put away to test that case

Cases, the easiest first. `like`: a machine of a generation that is known; tested by leaving out the machine itself.
`generation`: no machine of its generation is known, but its neighbours are. `new`: only cards of one other, distant
generation, or for a processor no processor at all. A reader's machine that is not surely like those timed is `new`:
intervals are then as wide as was needed where nothing like the machine was known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WORDS = {
    "like": "a machine like those timed",
    "generation": "a new generation whose neighbours were timed",
    "new": "a new kind of machine",
}
# Generations in the order of their launch: (pattern over a slug, name). Cards for data centres are another kind than
# those for desks, whatever their chips are called; an unknown machine has no generation.
GENERATIONS = (
    (r"(^|_|rtx)a?30[5-9]0", "Ampere"),
    (r"(^|_|rtx)40[5-9]0", "Ada"),
    (r"(^|_|rtx)50[5-9]0|pro_?6000", "Blackwell"),
    (r"^i[3579]_\d|_core_(i[3579]|ultra)_", "Intel Core"),
)


def generation(slug: str) -> str:
    """The generation of a machine by its slug; '' where it is not known."""
    return next((name for pattern, name in GENERATIONS if re.search(pattern, slug)), "")


def case(slug: str, machines: Iterable[str]) -> str:
    """Which case a machine is, where the tables of `machines` (slugs) can be learnt from."""
    own = generation(slug)
    return "like" if own and own in {generation(other) for other in machines} else "new"


def left_out(slug: str, machines: dict[str, str], case: str) -> tuple[str, ...]:
    """Machines whose tables are put away so that `slug` is a machine of that case; machines: slug -> gpu or cpu.

    new: of cards only those of the generation furthest from its own remain (of two, the earlier), of processors none.
    """
    alike = [other for other in machines if machines[other] == machines[slug]]
    own, order = generation(slug), ["", *(name for _, name in GENERATIONS)]
    if case == "like":
        gone = []
    elif case == "generation":
        gone = [other for other in alike if own and generation(other) == own]
    elif machines[slug] == "cpu":
        gone = alike
    else:
        there = sorted({order.index(generation(other)) for other in alike if generation(other)} - {order.index(own)})
        stays = order[max(there, key=lambda one: abs(one - order.index(own)))] if there else ""
        gone = [other for other in alike if generation(other) != stays]
    return tuple(sorted({slug, *gone}))
