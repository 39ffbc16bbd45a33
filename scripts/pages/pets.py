"""What the page on cats and dogs says: the exported model, the zoo beside it, and the web app."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from scripts.common.errors import DataMissing
from scripts.common.paths import relative
from scripts.common.words import counted, listing, wait
from scripts.demo import limits as app_limits
from scripts.pages import page
from scripts.train import photo_results, zoo_runs


def facts() -> SimpleNamespace:
    """What the run of the page is about, as text for sentences; there: whether there is one."""
    found = photo_results.pets()
    if not found:
        return SimpleNamespace(
            there=False,
            arch="no network yet",
            dataset="no photos yet",
            error="n/a",
            train="no",
            test="no",
            size="no",
            how="not trained",
            hardware="no machine yet",
        )
    run = found[0]
    facts = run.facts
    return SimpleNamespace(
        there=True,
        arch=facts["arch"],
        dataset=run.dataset,
        error=f"{facts['error_rate']['test']:.1%}",
        train=f"{facts['train_images']:,}",
        test=f"{facts['test_images']:,}",
        size=str(facts["size"]),
        how=_how(run),
        hardware=run.hardware,
    )


def _how(run) -> str:
    """From scratch in 50 epochs; a probe …, where what fine-tuning gave was worse on the validation photos."""
    epochs = counted(run.epochs, "epoch")
    if run.facts["weights"] == "scratch":
        return f"{run.way} in {epochs}"
    said = f"{run.way}, pretrained weights {run.facts['weights']}"
    if run.facts.get("kept") != "probe":
        return f"{said}, in {epochs}"
    return f"{said}; {epochs} of fine-tuning gave nothing better" if in_vain(run) else said


def in_vain(run: photo_results.Training) -> bool:
    """Whether it was fine-tuned and the probe was kept."""
    return run.facts.get("kept") == "probe" and run.epochs > 0


def beside_zoo() -> None:
    """A paragraph on why the zoo's page gives the same network another accuracy on the same photos, where it does."""
    found = photo_results.pets()
    try:
        zoo = zoo_runs.chosen("photos")
    except DataMissing:
        return
    if not found or not found[0].facts.get("checksum") or zoo.facts.get("checksum") != found[0].facts["checksum"]:
        return
    facts = found[0].facts
    rows = zoo.table[(zoo.table.arch == facts["arch"]) & (zoo.table.weights == facts["weights"])]
    if not len(rows):
        return
    row = rows.iloc[0]
    words = (
        f"On the same photos {facts['arch']} gets {rows.accuracy.mean():.1%} right there and "
        f"{1 - facts['error_rate']['test']:.1%} here. There it learned from {row.train_images:,.0f} of them at "
        f"{row.img_size:.0f} pixels in {counted(int(row.epochs), 'epoch')}, here from {facts['train_images']:,} at "
        f"{facts['size']} pixels in {counted(found[0].epochs, 'epoch')}, and the recipes differ."
    )
    page.markdown(f"[Training our own](/report/zoo.qmd) compares networks. {page.quoted(words)}")


def table() -> None:
    """Every exported model of photos: what it is and how often it is wrong."""
    found = photo_results.pets()
    if not found:
        page.note("Nothing trained yet", "`make train DATA=FOLDER` trains a model on the photos in a folder.")
        return
    one, machines = len({run.hardware for run in found}) == 1, [run.hardware for run in found]
    page.table(
        {
            "Architecture": [run.facts["arch"] for run in found],
            "Photos": [run.dataset for run in found],
            "How": [run.way + ("; fine-tuning gave nothing better" if in_vain(run) else "") for run in found],
            "Pixels": [run.facts["size"] for run in found],
            "Epochs": [run.epochs for run in found],
            "Learned from": ([run.facts["train_images"] for run in found], "{:,.0f}"),
            "Validation error": ([run.facts["error_rate"]["valid"] for run in found], "{:.1%}"),
            "Test error": ([run.facts["error_rate"]["test"] for run in found], "{:.1%}"),
            "Time": [wait(1000 * run.tables[""].seconds.sum(), 2) for run in found],
            **({} if one else {"Machine": machines}),
        },
        f"Models trained with fastai{f' on {machines[0]}' if one else ''}. Test photos are looked at once, after "
        "training.",
        label="tbl-pets",
        link=relative(found[0].paths[""]),
    )


def stages() -> str:
    """What earlier stages of a network add to its features, for each set of photos, as text; '' where unknown."""
    newest: dict[str, dict] = {}
    for run in photo_results.pets():
        if len(crossed := run.facts.get("crossed_error_rate") or {}) == 2:
            newest.setdefault(run.dataset, {**crossed, "arch": run.facts["arch"]})
    if not newest:
        return ""
    said = [
        f"{name.replace('-', ' ')} {one['features']:.1%} and {one['stages']:.1%} ({one['arch']})"
        for name, one in newest.items()
    ]
    return (
        f"Training photos that are wrong in cross-validation with the features alone, and with both: {listing(said)}."
    )


def starts() -> str:
    """What pretrained weights are worth on each set of photos, as text; '' where it was not measured."""
    said: dict[str, list[str]] = {}
    for run in photo_results.starts():
        table = run.tables[""]
        means = table.groupby("start")["accuracy"].mean()
        if not {"scratch", "frozen", "fine-tuned"} <= set(means.index):
            continue
        epochs = table.groupby("start")["epochs"].max()
        first, learned = table.iloc[0], pd.to_numeric(table["train_size"], errors="coerce").dropna()
        sizes = f"at {int(first.img_size)} pixels" + (f" (it learns at {int(learned.iloc[0])})" if len(learned) else "")
        said.setdefault(
            f"Test photos that {first.model} gets right {sizes}, means over {counted(table['seed'].nunique(), 'seed')}",
            [],
        ).append(
            f"{run.dataset.replace('-', ' ')} {means['scratch']:.1%} from scratch in "
            f"{counted(int(epochs['scratch']), 'epoch')}, {means['frozen']:.1%} frozen, "
            f"{means['fine-tuned']:.1%} fine-tuned in {counted(int(epochs['fine-tuned']), 'epoch')}"
        )
    return " ".join(f"{what}: {'; '.join(found)}." for what, found in said.items())


def ways() -> str:
    """How far each way of training got on the photos of the page, the best run of each, as text; '' where one is
    there."""
    found = photo_results.pets()
    best: dict[str, photo_results.Training] = {}
    for run in found:
        if run.facts.get("checksum") != found[0].facts.get("checksum"):
            continue
        if run.way not in best or run.facts["error_rate"]["test"] < best[run.way].facts["error_rate"]["test"]:
            best[run.way] = run
    if len(best) < 2:
        return ""
    said = [
        f"{1 - run.facts['error_rate']['test']:.1%} {way} ({run.facts['arch']} at {run.facts['size']} pixels)"
        for way, run in sorted(best.items(), key=lambda item: item[1].facts["error_rate"]["test"])
    ]
    return f"On the same test photos, right: {listing(said)}."


def limits() -> SimpleNamespace:
    """What the web app lets in, as text."""
    return SimpleNamespace(
        host=app_limits.HOST,
        megabytes=f"{app_limits.MAX_BYTES >> 20} MB",
        megapixels=f"{app_limits.MAX_PIXELS / 1e6:.0f} megapixels",
    )


def load_said() -> str:
    """How quick the app was where it was measured, in a sentence or two; '' where it was not."""
    found = photo_results.loads()
    if not found:
        return ""
    row = found[0].tables[""].iloc[0]
    return (
        f"On {found[0].hardware} it starts in {row.start_seconds:.1f} seconds, and a photo is answered "
        f"{row.photo_ms:.0f} milliseconds after it was uploaded ({row.arch} at {float(row.img_size):.0f} pixels). With "
        f"{row.users:.0f} people at once, {row.answered:.0f} of {row.asked:.0f} photos got their answer, the last "
        f"after {row.slowest_seconds:.1f} seconds."
    )
