"""A badge for a model's README: on how many machines' frontiers it is. One small SVG, the same on light and dark."""

from __future__ import annotations

LETTER = 6.1  # pixels of a letter of 11 px Verdana, the widest of the faces named


def words(frontiers: dict) -> str:
    """'on the frontier of 5 of 9 machines'; `frontiers` as in a model's file."""
    count, of = len(frontiers["on"]), frontiers["of"]
    if not of:
        return "not timed yet"
    return f"on the frontier of {count} of {of} machine{'s' * (of != 1)}"


def svg(frontiers: dict) -> str:
    said = words(frontiers)
    width = round(len(said) * LETTER) + 14
    colour = "#154470" if frontiers["on"] else "#57606a"  # white on them: 10.1 and 6.4 to 1
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20">'
        f'<rect width="{width}" height="20" rx="3" fill="{colour}"/>'
        f'<text x="7" y="14" fill="#fff" font-family="Verdana,sans-serif" font-size="11">{said}</text></svg>'
    )
