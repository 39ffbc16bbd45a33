"""The same models on many machines: each machine's frontier, how alike they rank, what moving to a processor costs each
kind of network, what compiling gives each, what dethroned the notebook's frontier, our own machines beside timm's, and
the models that stay on top nearly everywhere.

machines_frontiers and machines_compiling are drawn from timm's tables, the others from the small tables of
scripts/findings/aggregates.py in report/data, so that they can be drawn where timm's cannot be had.

    python -m scripts.figures.export --only machines_frontiers machines_agreement machines_penalty machines_compiling \\
        machines_succession machines_ours machines_stable
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from scripts.common import families, hardware, words
from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import TIMM, Source, made_from, published as said, read_sidecar, source, sources
from scripts.common.tables import read_table
from scripts.common.words import counted, listing, plain
from scripts.data import measured, read_data
from scripts.figures import display_measured, list_chart, published
from scripts.figures.display_frontier import FLOOR
from scripts.figures.drawing import Drawing
from scripts.figures.frontier_chart import hover, visible
from scripts.figures.labels import safe
from scripts.figures.theme import (
    CONTEXT,
    GRID,
    INK,
    MUTED,
    PAPER,
    PHONE,
    TIMES,
    Axis,
    Canvas,
    Head,
    Size,
    both,
    even,
    frontier,
    look,
    readable,
    symbols,
    text_colour,
)
from scripts.findings import machines
from scripts.findings.claims import version_key
from scripts.findings.summary import chosen

BLUE = families.COLOURS["convnext"][0]  # of the heat map: one hue, from the grid's grey to this
KINDS = {"convnet": "Convnets", "transformer": "Transformers", "hybrid": "Hybrids", "mlp": "MLPs"}


def small(name: str, required: list[str], numeric: list[str]) -> tuple[pd.DataFrame, dict]:
    """report/data/machines-<name>.csv and where its numbers come from (sources and date of a Drawing: those of timm's
    tables, not the day of computing). Raises DataMissing where it was never made.
    """
    path = DATA / f"machines-{name}.csv"
    if not path.exists():
        raise DataMissing(f"report/data/{path.name} is not there; run `make data` where timm's tables can be had")
    table = read_table(path, required=required, optional_numeric=numeric)
    return table, {"sources": [source(path)], "date": published.date(behind(name))}


def behind(name: str) -> tuple[Source, ...]:
    """timm's tables from which report/data/machines-<name>.csv was computed, as its sidecar says."""
    return tuple(one for one in made_from(read_sidecar(DATA / f"machines-{name}.csv")) if one.path.startswith(TIMM))


def footer(found: Iterable[Source]) -> str:
    """Source: computed from timm’s published speeds of … to … and accuracies of …"""
    return f"Source: computed from timm’s published {said(found)}"


THEIRS = "mixed precision on cards, 32-bit floats on processors"  # of `machines.main_tables`


# --- each machine's frontier


def draw_frontiers() -> Drawing:
    """The step frontier of every machine: eager where there is such a table, compiled on processors; above FLOOR."""
    tables = machines.main_tables(compiled=False, ours=False)
    if not tables:
        raise read_data.TablesMissing("timm's tables are not at hand")
    edges = {key: frontier(visible(table.dropna(subset=["top1"]), FLOOR)) for key, table in tables.items()}
    fronts = machines.stable_picks({key: visible(table, FLOOR) for key, table in tables.items()})
    everywhere = int((fronts["machines"] == len(tables)).sum())
    title = f"{counted(len(fronts), 'model')} {'is' if len(fronts) == 1 else 'are'} on the frontier of " + (
        f"some machine, {everywhere} on that of all {len(tables)}"
        if len(tables) > 1
        else machines.name_of(*tables, tables)
    )
    foot = f"{footer(sources(*tables.values()))} · {THEIRS}"
    subtitle = "The best ImageNet top-1 accuracy at that speed or faster, machine by machine"
    data = pd.concat([edge.assign(machine=machines.name_of(key, tables)) for key, edge in edges.items()])
    names = listing([machines.name_of(key, tables) for key in tables])
    return Drawing(
        **both(_frontiers, edges, (title, subtitle, foot)),
        title=title,
        data=data,
        alt="Falling step lines of images per second (log axis) against the best ImageNet top-1 accuracy, one for each "
        f"of {names}. Processors lie far to the left; the cards lie close together.",
        caption=f"{title}. Each line is the best accuracy at that speed or faster on one machine, cards not compiled, "
        f"models above {FLOOR:g}%; colours are families.",
        **published.provenance(*tables.values()),
    )


def _frontiers(edges: dict[str, pd.DataFrame], head: Head, size: Size) -> Canvas:
    every = pd.concat(edges.values())
    x, y = Axis.speed(every.samples_per_sec, after=0.04), Axis.top1(every.top1, before=0.1, after=0.05)
    canvas = Canvas(size, *head, x, y)
    lines, dots, names = [], [], []
    levels = np.linspace(0.15, 0.75, len(edges))  # how far along its line a card's name stands
    for (key, edge), level in zip(edges.items(), levels):
        name, card = machines.name_of(key), hardware.named(edge["hardware"].iloc[0]).kind == "gpu"
        colour, dash = (INK[0], "solid") if card else (MUTED[0], "dash")
        lines.append(canvas.step(edge, "samples_per_sec", "top1", colour, name, dash, 1.1))
        dots.append(canvas.pixels(edge.samples_per_sec, edge.top1))
        texts = [f"{safe(name)}<br>{line}" for line in hover(edge)]
        canvas.marks(edge.samples_per_sec, edge.top1, texts, {"size": 6.5, **look(edge.family, edge.kind)})
        at = edge.iloc[int(level * card * (len(edge) - 1))]
        names.append((at.samples_per_sec, at.top1, name, {"style": "Semibold", "radius": 4, "veil": True}))
    canvas.label(names, np.vstack(dots), np.vstack(lines))
    return canvas


# --- how alike they rank


def draw_agreement() -> Drawing:
    """Spearman's rank correlation of speeds between every two machines, as a heat map."""
    table, about = small("agreement", ["machine"], [])
    names = list(table.machine)
    square = table.set_index("machine")[names].astype(float)
    pairs = [(square.loc[a, b], a, b) for i, a in enumerate(names) for b in names[:i]]
    if not pairs:
        raise DataMissing("one machine alone has nothing to agree with")
    least, most = min(pairs), max(pairs)
    title = f"Machines rank networks alike: rank correlations from {least[0]:.2f} to {most[0]:.3f}"
    subtitle = "Spearman’s rank correlation of speed between machines, compiled or not, over networks timed on both"
    return Drawing(
        **both(_heat, square, (title, subtitle, footer(behind("agreement")))),
        title=title,
        data=table,
        alt=f"Heat map of the rank correlation of speeds between {_settings(names)}. The least alike are {least[1]} "
        f"and {least[2]} ({least[0]:.3f}), the most alike {most[1]} and {most[2]} ({most[0]:.3f}).",
        caption="Spearman's rank correlation of the speeds of the same networks; 1 is the same order. Least alike: "
        f"{least[1]} and {least[2]}.",
        hardware=_settings(names, "timm's "),
        **about,
    )


def _settings(names: list[str], whose: str = "") -> str:
    """9 settings of 6 machines: a machine, not compiled and compiled, is timed in two settings. 6 machines, where
    each was timed in one.
    """
    count = len({_plain(name) for name in names})
    machines = f"{whose}{counted(count, 'machine')}"
    return machines if count == len(names) else f"{counted(len(names), 'setting')} of {machines}"


def _heat(square: pd.DataFrame, head: Head, size: Size) -> Canvas:
    names, count = list(square), len(square)
    numbers = [str(i + 1) for i in range(count)]
    rows = [f"{number} · {name}" for number, name in zip(numbers, names)]
    x, y = (Axis("", -0.5, count - 0.5, names=words) for words in (numbers, rows[::-1]))
    canvas = Canvas(size, *head, x, y)
    low = float(np.floor(square.to_numpy().min() * 20) / 20)
    for row, one in enumerate(names):
        for column, other in enumerate(names):
            value = square.loc[one, other]
            short = f"{value:.2f}".removeprefix("0").replace("1.00", "1")
            canvas.note(
                x=column,
                y=count - 1 - row,
                text="" if row == column else short if canvas.phone else f"{value:.3f}",
                font={"size": canvas.small, "color": readable(BLUE, (value - low) / max(1 - low, 1e-9))},
                name="cell",
            )
    texts = [[f"{safe(one)}<br>{safe(other)}<br>{square.loc[one, other]:.3f}" for other in names] for one in names]
    across = list(range(count))
    canvas.heat(square.to_numpy(), texts, BLUE, gap=2, low=low, x=across, y=across[::-1])
    return canvas


# --- what a processor costs each kind


def draw_penalty() -> Drawing:
    """Slow-down of each kind of network relative to convnets of as many multiply-adds on moving from cards to a
    processor, with its 95% interval.
    """
    table, about = small("cpu_penalty", ["cpu", "kind"], ["ratio", "low", "high", "gpus", "networks"])
    table = table.sort_values(["kind", "cpu"], ascending=[False, True], kind="stable")
    moved = table[table.kind == "transformer"].sort_values("ratio", kind="stable")
    if moved.empty:
        raise DataMissing("no processor with enough transformers and convnets timed")
    worst = moved.iloc[-1]
    lose, gain = (
        listing([f"a {_plain(name)}" for name in moved.cpu[which]]) for which in (moved.low > 1, moved.high < 1)
    )
    title = (
        f"Transformers lose more than convnets on {lose}"
        if lose
        else f"Transformers lose less than convnets on {gain}"
        if gain
        else "On no processor can it be told whether transformers lose more than convnets of as much arithmetic"
    ) + f": {worst.ratio:.2f} times, {worst.low:.2f} to {worst.high:.2f}, on a {_plain(worst.cpu)}"
    rows = pd.DataFrame(
        {
            "label": [f"{KINDS.get(row.kind, row.kind)}, {_plain(row.cpu)}" for row in table.itertuples()],
            "value": table.ratio,
            "low": table.low,
            "high": table.high,
            "kind": table.kind,
            "details": [
                f"{row.ratio:.2f} times the slow-down of convnets (95%: {row.low:.2f} to {row.high:.2f}), "
                f"{int(row.networks):,} networks on {counted(int(row.gpus), 'card')}"
                for row in table.itertuples()
            ],
        }
    )
    ends = table.low, table.high
    axis = Axis.around("slow-down relative to convnets", *ends, before=0.08, after=0.08, write=TIMES)
    subtitle = (
        "Slow-down from graphics cards to a processor, over that of convnets of as many multiply-adds; lines: 95% "
        "intervals, families resampled"
    )
    head = title, subtitle, footer(behind("cpu_penalty"))
    return Drawing(
        **both(list_chart.draw, rows, axis, *head, mark=(1.0, "as convnets")),
        title=title,
        data=table,
        hardware=listing([_plain(name) for name in table.cpu.unique()]),
        alt=(
            "List of kinds of network and processors by how much more than convnets they slow down: "
            f"{listing([f'{row.label} {row.value:.2f}' for row in rows.itertuples()])}."
        ),
        caption=f"{title}. Above 1 a kind loses more than convnets do, below 1 less.",
        **about,
    )


def _plain(name: str) -> str:
    return name.removesuffix(", compiled")


# --- what compiling gives each network


def draw_compiling() -> Drawing:
    """Speed-up by torch.compile of every network on the card of `summary.chosen('gpu')`. Re-parameterised networks
    are left out.
    """
    key = hardware.parse_benchmark_name(chosen("gpu")[1])["hardware"]
    tables = machines.main_tables(ours=False)
    if key not in tables or f"{key}-compiled" not in tables:
        raise read_data.TablesMissing(f"timm's tables of the {key}, eager and compiled, are not at hand")
    gain = machines.speedups(tables[key], tables[f"{key}-compiled"])
    changed = int(gain.changed.sum())
    gain = gain.dropna(subset=["speedup"]).merge(
        tables[key].drop_duplicates(machines.NETWORK)[[*machines.NETWORK, "samples_per_sec"]],
        on=machines.NETWORK,
        validate="1:1",
    )
    medians = gain.groupby("kind").speedup.median().sort_values(ascending=False)
    slower = int((gain.speedup < 1).sum())
    title = (
        f"{hardware.named(key).name}: compiling makes the median network {gain.speedup.median():.2f} times as fast, "
        f"{counted(slower, 'network')} slower"
    )
    pair = tables[key], tables[f"{key}-compiled"]
    subtitle = (
        "Images per second in inference with torch.compile over those without; a point per network and picture size"
    )
    by_kind = listing([f"{KINDS.get(kind, kind)} {value:.2f}" for kind, value in medians.items()])
    best = gain.loc[gain.speedup.idxmax()]
    return Drawing(
        **both(_gains, gain, (title, subtitle, published.footer(*pair))),
        title=title,
        data=gain,
        alt=f"Scatter chart of {counted(len(gain), 'network')}: images per second without compiling on a log axis "
        f"against the speed-up by torch.compile, from {gain.speedup.min():.2f} to "
        f"{best.speedup:.2f} times ({best.arch}). Medians: {by_kind}.",
        caption=f"What torch.compile gives each of {counted(len(gain), 'network')}. Medians by kind: {by_kind}."
        + (
            f" {counted(changed, 'network')} whose parameter count differs between the tables "
            f"{'is' if changed == 1 else 'are'} left out."
            if changed
            else ""
        ),
        **published.provenance(*pair),
    )


def _gains(gain: pd.DataFrame, head: Head, size: Size) -> Canvas:
    x = Axis.around("images per second, not compiled (log scale)", gain.samples_per_sec, log=True)
    canvas = Canvas(size, *head, x, Axis.around("speed-up", gain.speedup, log=True, after=0.08, write=TIMES))
    key = gain.family.isin(families.KEY_FAMILIES)
    for family, rows in [("other", gain[~key]), *gain[key].groupby("family", sort=False)]:
        texts = [
            f"<b>{safe(row.arch, 80)}</b>, {int(row.img_size)} "
            f"px<br>{safe(families.label(row.family))}<br>{row.speedup:.2f} times as fast"
            for row in rows.itertuples()
        ]
        style = (
            {"size": 5, "color": CONTEXT[0]} if family == "other" else {"size": 6.5, "color": families.colour(family)}
        )
        marker = {**style, "symbol": symbols(rows.kind)}
        canvas.marks(rows.samples_per_sec, rows.speedup, texts, marker, name=families.label(family))
    canvas.line([x.low, x.high], [1, 1], MUTED[0], 1.4, "dot")
    points = canvas.weighed(gain.samples_per_sec, gain.speedup, 0.3)
    line = canvas.segments(x.low, 1, x.high, 1)
    most, least = (3, 2) if canvas.phone else (5, 4)
    ends = pd.concat([gain.nlargest(most, "speedup"), gain.nsmallest(least, "speedup")]).drop_duplicates("arch")
    canvas.label(
        [(row.samples_per_sec, row.speedup, row.arch, {"veil": True}) for row in ends.itertuples()], points, line
    )
    shown = gain[key].groupby("family").filter(lambda rows: len(rows) >= 5)
    canvas.label(
        [
            (
                rows.samples_per_sec.median(),
                rows.speedup.median(),
                families.label(family),
                {"style": "Semibold", "colour": text_colour(family), "veil": True, "size": canvas.base + 1},
            )
            for family, rows in shown.groupby("family", sort=False)
        ],
        points,
        line,
    )
    return canvas


# --- what dethroned what


def draw_succession() -> Drawing:
    """The notebook's frontier on its card, with an arrow from each dethroned member to what beats it on the same card
    today.
    """
    table, about = small(
        "succession",
        ["model", "family", "still", "by"],
        ["img_size", "top1", "samples_per_sec", "by_top1", "by_samples_per_sec"],
    )
    table = visible(table, FLOOR)
    gone, kept = table[table.still == "no"], table[table.still == "yes"]
    heirs = gone.by.str.split(".").str[0].map(families.family).map(families.label).value_counts()
    found = behind("succession")
    speeds = sorted((one for one in found if one.setting), key=lambda one: one.date)
    card = speeds[0].setting.partition(",")[0] if speeds else "the notebook's card"
    then, now = (words.year(one.date) for one in (speeds[0], speeds[-1])) if speeds else ("then", "now")
    foot = f"{footer(found)} · {card}, mixed precision, eager"
    title = (
        f"Of {counted(len(table), 'model')} on the frontier of {then}, {len(kept)} {'is' if len(kept) == 1 else 'are'} "
        f"still there in {now}"
        + (
            f"; the {'heir is' if len(gone) == 1 else 'heirs are'} {listing([str(name) for name in heirs.index[:3]])}"
            if len(heirs)
            else ""
        )
    )
    subtitle = f"The frontier of {then} on an {card}, and what is at least as fast and more accurate on it in {now}"
    return Drawing(
        **both(_succession, table, then, (title, subtitle, foot)),
        title=title,
        data=table,
        hardware=card,
        alt=f"Images per second (log axis) against ImageNet top-1 accuracy on an {card}: "
        f"{counted(len(table), 'model')} of the frontier of {then}"
        + (
            f", {len(gone)} of them with an arrow to the model that beats them in {now}: "
            f"{listing([f'{row.model} by {row.by}' for row in gone.head(6).itertuples()])}"
            if len(gone)
            else ""
        )
        + (" and others." if len(gone) > 6 else "."),
        caption=f"The frontier of {then} on an {card}. Full: still on the frontier. Hollow: beaten by the model at the "
        f"end of the arrow, timed on the same card with the software of {now}."
        + (
            f" Most of those are {listing([f'{name} ({number})' for name, number in heirs.head(3).items()])}."
            if len(heirs)
            else ""
        ),
        **about,
    )


def _succession(table: pd.DataFrame, then: str, head: Head, size: Size) -> Canvas:
    gone, kept = table[table.still == "no"], table[table.still != "no"]
    x = Axis.speed(table.samples_per_sec, gone.by_samples_per_sec, before=0.04, after=0.08)
    canvas = Canvas(size, *head, x, Axis.top1(table.top1, gone.by_top1, before=0.04, after=0.08))
    lines = canvas.segments(gone.samples_per_sec, gone.top1, gone.by_samples_per_sec, gone.by_top1)
    rim = {"width": 1, "color": PAPER[0]}
    for row in gone.itertuples():
        canvas.note(
            x=x.coordinate(row.by_samples_per_sec),
            y=row.by_top1,
            ax=x.coordinate(row.samples_per_sec),
            ay=row.top1,
            xref="x",
            yref="y",
            axref="x",
            ayref="y",
            showarrow=True,
            arrowhead=3,
            arrowsize=0.9,
            arrowwidth=1.2,
            arrowcolor=MUTED[0],
            standoff=5,
            startstandoff=5,
            text="",
            name="arrow",
        )
    for rows, form in ((gone, "-open"), (kept, "")):
        texts = [
            f"<b>{safe(row.model, 80)}</b>, {then}<br>{row.top1:.2f}%, {plain(row.samples_per_sec)} images/s"
            + (f"<br>beaten by {safe(row.by, 80)}" if row.by else "")
            for row in rows.itertuples()
        ]
        marker = {"size": 9, **_look(rows.model, form), "line": {"width": 2} if form else rim}
        canvas.marks(rows.samples_per_sec, rows.top1, texts, marker)
    heirs = gone.drop_duplicates("by")
    texts = [
        f"<b>{safe(row.by, 80)}</b><br>{row.by_top1:.2f}%, {plain(row.by_samples_per_sec)} images/s"
        for row in heirs.itertuples()
    ]
    marker = {"size": 9, **_look(heirs.by.str.split(".").str[0]), "line": rim}
    canvas.marks(heirs.by_samples_per_sec, heirs.by_top1, texts, marker)
    points = np.vstack(
        [canvas.pixels(table.samples_per_sec, table.top1), canvas.pixels(heirs.by_samples_per_sec, heirs.by_top1)]
    )
    some = 3 if canvas.phone else 7
    most = gone.by.value_counts().index[:some]
    named = [
        (row.by_samples_per_sec, row.by_top1, row.by.partition(".")[0], {"style": "Semibold", "veil": True})
        for row in heirs[heirs.by.isin(most)].itertuples()
    ]
    style = {"veil": True, "size": canvas.small, "colour": MUTED[0]}
    named += [(row.samples_per_sec, row.top1, row.model, style) for row in even(table, some).itertuples()]
    canvas.label(named, points, lines)
    return canvas


def _look(arches: pd.Series, form: str = "") -> dict:
    """`theme.look` of networks whose table says no kind."""
    return look(arches.map(families.family), arches.map(families.kind), form)


# --- ours beside timm's, and the stable picks


def our_tables() -> dict[str, pd.DataFrame]:
    """The table of each machine measured here that is compared with timm's, by the machine's name; of several the
    one that `machines.main_tables` takes.
    """
    tables = [
        table for _, table in measured.load("infer").groupby("file") if table.precision.iloc[0] in machines.PRECISIONS
    ]
    tables.sort(
        key=lambda table: (
            version_key(table.torch.iloc[0]),
            table.layout.iloc[0] == "nchw",
            table.samples_per_sec.median(),
        )
    )
    return {table.hardware_name.iloc[0] + (", compiled" if table.compiled.iloc[0] else ""): table for table in tables}


def how_ours() -> str:
    """How our machines and timm's were measured: 'Ours: AMD EPYC, 2 cores, 32-bit floats, eager, 1 thread, PyTorch
    2.15.0; timm's: …'. '' without a table of ours.
    """
    ways = [f"{_plain(name)}, {display_measured.setting(table)}" for name, table in our_tables().items()]
    return f"Ours: {'; '.join(ways)}. timm’s: {THEIRS}, compiled where it says so." if ways else ""


def draw_ours() -> Drawing:
    """How many times as fast timm's machines are as ours: median, least and most over the networks that both timed."""
    table, about = small("ours", ["ours", "theirs"], ["networks", "rho", "ratio", "least", "most"])
    table = table.sort_values(["ours", "ratio"], kind="stable")
    first, several = table.iloc[0], table.ours.nunique() > 1
    tables = our_tables()
    own = {name: tables.get(name.replace(", measured here", "")) for name in dict.fromkeys(table.ours)}
    ways = [name if rows is None else f"{_plain(name)}, {display_measured.setting(rows)}" for name, rows in own.items()]
    days = [rows.date.iloc[0] for rows in own.values() if rows is not None]
    about |= {"date": words.span([one.date for one in behind("ours") if one.setting] + days)}
    title = (
        f"{first.ours} beside timm’s machines: the {first.theirs}{',' if ', ' in first.theirs else ''} is "
        f"{plain(first.ratio, 2)} times as fast"
    )
    rows = pd.DataFrame(
        {
            "label": [f"{row.theirs}{f' / {row.ours}' if several else ''}" for row in table.itertuples()],
            "value": table.ratio,
            "low": table.least,
            "high": table.most,
            "details": [
                f"{plain(row.ratio)} times as fast (median of {row.networks:.0f} networks, {plain(row.least)} to "
                f"{plain(row.most)}), rank correlation {row.rho:.2f}"
                for row in table.itertuples()
            ],
        }
    )
    axis = Axis.around(
        "times as fast (log scale)",
        table.least,
        table.most,
        log=True,
        before=0.06,
        after=0.06,
        write=lambda value: f"{value:,.6g}×",
    )
    foot = f"{footer(behind('ours'))} ({THEIRS}) and this project’s own measurements"
    foot += f" of {words.day(max(days))}" if days else ""
    subtitle = (
        f"Their images per second over ours, for the {table.networks.max():.0f} networks that both timed: median, "
        f"least and most. Ours: {'; '.join(ways)}"
    )
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, foot),
        title=title,
        data=table,
        hardware="; ".join(ways),
        alt=(
            "List of timm's machines by how many times as fast as ours they are: "
            f"{listing([f'{row.label} {plain(row.value)} times' for row in rows.itertuples()])}."
        ),
        caption=f"{title}. {how_ours()} The line goes from the network that gains least to the one that gains most: "
        "the wider, the less one machine says about the other.",
        **about,
    )


def draw_stable() -> Drawing:
    """Models on the frontier in at least half of the settings (a machine, compiled or not): a dot for each setting."""
    table, about = small("stable", ["model", "family", "where"], ["img_size", "top1", "machines", "timed"])
    square, _ = small("agreement", ["machine"], [])
    names = list(square.machine)
    every = int((table.machines == len(names)).sum())
    best, settings = table.iloc[0], _settings(names)
    title = (
        f"{counted(every, 'model')} {'is' if every == 1 else 'are'} on the frontier "
        f"{'in' if 'setting' in settings else 'of'} all {settings}"
        if every
        else f"{best.model.partition('.')[0]} is on {best.machines:.0f} of {len(names)} frontiers"
    )
    subtitle = (
        "Models by the number of frontiers they are on, then by accuracy; columns are machines, compiled or not, by "
        "their number in the caption"
    )
    return Drawing(
        **both(_stable, table, names, (title, subtitle, footer(behind("stable")))),
        title=title,
        data=table,
        hardware=_settings(names, "timm's "),
        alt=f"Grid of {counted(len(table), 'model')} by {settings} with a dot where the model is on the frontier "
        f"there. On the most: {listing([f'{row.model} ({row.machines:.0f})' for row in table.head(6).itertuples()])}.",
        caption=f"{title}. A dot: on the frontier there. By number: "
        f"{', '.join(f'{i + 1} {name}' for i, name in enumerate(names))}.",
        **about,
    )


def _stable(table: pd.DataFrame, names: list[str], head: Head, size: Size) -> Canvas:
    rows = table.head(16 if size == PHONE else 22)
    arches = rows.model.str.partition(".")[0]
    labels = [arch if f"{size:.0f}" in arch else f"{arch}, {size:.0f} px" for arch, size in zip(arches, rows.img_size)]
    numbers = [str(i + 1) for i in range(len(names))]
    canvas = Canvas(size, *head, Axis("", -0.6, len(names) - 0.4, names=numbers), Axis.rows(labels))
    for height in range(len(rows)):
        canvas.line([0, len(names) - 1], [height, height], GRID[0], 1)
    for position, row in enumerate(rows.itertuples()):
        there = [i for i, name in enumerate(names) if name in row.where.split("; ")]
        arch, height = row.model.partition(".")[0], len(rows) - 1 - position
        texts = [
            f"<b>{safe(row.model, 80)}</b><br>{row.top1:.2f}%<br>on the frontier of {safe(names[i])}" for i in there
        ]
        symbol = families.SYMBOLS.get(families.kind(arch), "circle")
        marker = {"size": 11, "color": families.colour(families.family(arch)), "symbol": symbol}
        canvas.marks(there, [height] * len(there), texts, marker)
    return canvas
