"""What the pages' own frontier chart (assets/explorer.js) needs of the chart language: colours, symbols and rules from
the modules that own them.

The page draws the same chart as frontier_chart.py, on the reader's choice of machine and pretraining. Its speeds come
from charts/picker/ (scripts/choose/files.py); this is the rest, written to the site as assets/explorer-theme.js.
Nothing of it is typed twice.
"""

from __future__ import annotations

from scripts.common import families
from scripts.figures.display_frontier import CLAIMS, FLOOR
from scripts.figures.frontier_chart import NAMED
from scripts.figures.labels import ANGLES, COSTS, DISTANCES, GAP, LEADER_FROM, LONGEST
from scripts.figures.theme import CONTEXT, GRID, INK, LEADER, MUTED, PALE, PAPER, TICK_PAD, for_text, mix


def data() -> dict:
    """Colours as [light, dark] pairs, symbols by kind, and the rules of the chart; plain JSON."""
    shown = {**families.COLOURS, "": families.GREY}
    return {
        "colours": {"paper": PAPER, "ink": INK, "muted": MUTED, "grid": GRID, "context": CONTEXT, "leader": LEADER},
        "families": {
            name: {
                "strong": pair,
                "pale": [mix(colour, paper, PALE) for colour, paper in zip(pair, PAPER)],
                "text": [for_text(colour, paper, ink) for colour, paper, ink in zip(pair, PAPER, INK)],
            }
            for name, pair in shown.items()
        },
        "shared": families.SHARED_COLOUR,
        "key": families.KEY_FAMILIES,
        "symbols": families.SYMBOLS,
        "claims": {claim: list(names) for claim, names in CLAIMS.items()},
        "floor": FLOOR,
        "named": NAMED,
        "longest": LONGEST,
        "labels": {
            "distances": DISTANCES,
            "angles": ANGLES.tolist(),
            "gap": GAP,
            "leaderFrom": LEADER_FROM,
            "costs": COSTS,
            "tickPad": TICK_PAD,
        },
    }
