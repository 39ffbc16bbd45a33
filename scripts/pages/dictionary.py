"""What each CSV under report/data holds: its key, and of each column the meaning, the unit, and whether it varies from
run to run.

One table for two readers: the data dictionary on the site (report/data.qmd), and the diff (rows matched by key, a
tolerance per column).

    from scripts.pages import dictionary
    dictionary.show()                         # in a cell with `#| output: asis`
    dictionary.tolerance("report/data/zoo-digits-x.csv", "train_seconds")
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from scripts.bench.measure import OUR_COLUMNS
from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import DATA, relative
from scripts.common.tables import read_table

HERE = relative(__file__)
EXACT = 1e-9  # relative: what is counted, published or computed from fixed tables does not vary
VARIES = 0.05  # relative: one model timed twice on one machine; timm's own repeats lie within 0.984-1.026 (5-95%)


@dataclass(frozen=True)
class Column:
    """meaning in a few words; unit; varies: a measurement that another run would not repeat to the digit."""

    meaning: str
    unit: str = ""
    varies: bool = False


@dataclass(frozen=True)
class Table:
    """pattern over file names; title; what a row is; the columns that together name a row; the columns, by name or
    pattern.
    """

    pattern: str
    title: str
    row: str
    key: tuple[str, ...]
    columns: dict[str, Column]

    def column(self, name: str) -> Column | None:
        """The entry for a column; one named exactly before one that a pattern matches."""
        return self.columns.get(name) or next(
            (entry for pattern, entry in self.columns.items() if "*" in pattern and fnmatchcase(name, pattern)), None
        )


# Our benchmark columns that say what was asked and how it was run; all the others were timed or sampled.
ASKED = (
    "status",
    "reason",
    "batch_asked",
    "threads",
    "precision",
    "layout",
    "compile_mode",
    "cuda_graph",
    "torch",
    "timm",
)
MODEL = {
    "model": Column("architecture, or architecture.weights, as timm names it"),
    "arch": Column("architecture"),
    "family": Column("family of architectures"),
    "img_size": Column("edge of the square picture", "pixels"),
    "top1": Column("ImageNet top-1 accuracy", "%"),
    "param_count": Column("parameters", "millions"),
}
SPEED = Column("throughput", "images/s")
RUN = {
    "model": Column("name in this project's registry"),
    "weights": Column("scratch, or the pretrained weights that training started from"),
    "seed": Column("seed of initialisation, split, order and augmentation"),
}
RHO = Column("Spearman's rank correlation")


def _benchmark(part: str, of: str, one: bool = True) -> Table:
    timm = {
        "model": MODEL["model"],
        f"{part}_samples_per_sec": Column("throughput, median", "images/s", True),
        f"{part}_step_time": Column("time of a step (one batch)", "ms", True),
        f"{part}_batch_size": Column("batch size", "images"),
        f"{part}_img_size": MODEL["img_size"],
        "param_count": MODEL["param_count"],
        f"{part}_gmacs": Column("multiply-accumulates of a forward pass", "10⁹"),
        f"{part}_macts": Column("activations of a forward pass", "millions"),
    }
    ours = {name: Column(meaning, varies=name not in ASKED) for name, meaning in OUR_COLUMNS.items()}
    if one:
        return Table(
            f"benchmark-{part}-*.csv",
            f"Speed of {of} on one machine",
            "a model and image size; the first columns are timm's own, so that its tables and these can be read alike",
            ("model", f"{part}_img_size"),
            {**timm, **ours},
        )
    return Table(
        f"*-{part}-*-pt*-*.csv",
        f"Speed of {of} at other batch sizes, or measured again",
        "a model, batch size asked for, and round",
        ("model", f"{part}_img_size", "batch_asked", "round"),
        {**timm, **ours, "round": Column("which repetition")},
    )


TABLES: list[Table] = [
    _benchmark("infer", "inference"),
    _benchmark("train", "training"),
    _benchmark("infer", "inference", one=False),
    _benchmark("train", "training", one=False),
    Table(
        "zoo-*-history.csv",
        "Training curves",
        "an epoch of a training",
        ("model", "weights", "seed", "epoch"),
        {
            **RUN,
            "epoch": Column("epoch, from 1"),
            "train_loss": Column("mean loss on the training pictures", varies=True),
            "valid_loss": Column("on the validation pictures", varies=True),
            "valid_accuracy": Column("share of validation pictures that are right", "0–1", True),
            "lr": Column("learning rate at its end"),
            "seconds": Column("training time of the epoch", "s", True),
            "elapsed_seconds": Column("training time so far", "s", True),
            "images_per_sec": Column("training throughput", "images/s", True),
        },
    ),
    Table(
        "zoo-*-classes.csv",
        "Metrics by class",
        "a class in a training",
        ("model", "weights", "seed", "class"),
        {
            **RUN,
            "class": Column("true class"),
            **{name: Column(f"{name} on the test pictures", "0–1", True) for name in ("precision", "recall", "f1")},
            "*_low": Column("lower end of the 95% bootstrap interval", varies=True),
            "*_high": Column("upper end", varies=True),
            "images": Column("test pictures of the class"),
        },
    ),
    Table(
        "zoo-*-predictions.csv",
        "Predictions on the test pictures",
        "a test picture",
        ("file",),
        {
            "file": Column("picture, below the dataset's folder"),
            "label": Column("true class"),
            "*:*:*:*": Column("model:weights:seed:class: the class's probability", "0–1", True),
        },
    ),
    Table(
        "zoo-*-mistakes.csv",
        "Digits that most networks get wrong",
        "a test picture",
        ("file",),
        {
            "file": Column("picture, by its number in scikit-learn's digits"),
            "label": Column("true class"),
            "predicted": Column("the surest wrong answer", varies=True),
            "confidence": Column("of that answer", "0–1", True),
            "wrong": Column("runs that get it wrong", varies=True),
            "runs": Column("runs: a network and seed each"),
            "pixels": Column("8×8 greys from 0 to 16, row by row"),
        },
    ),
    Table(
        "scaling-*.csv",
        "Training with several processes",
        "a run of one number of processes",
        ("model", "size", "processes", "round"),
        {
            "model": RUN["model"],
            "size": Column("edge of the square picture", "pixels"),
            "processes": Column("training together, one thread or GPU each"),
            "round": Column("the numbers of processes take turns"),
            "images_per_sec": Column("training, of all processes together", "images/s", True),
            "step_ms": Column("median time of a step", "ms", True),
        },
    ),
    Table(
        "zoo-*.csv",
        "Networks trained on one dataset",
        "a training: model, weights and seed",
        ("model", "weights", "seed"),
        {
            **RUN,
            "arch": Column("timm's name, where it has one"),
            "source": Column("timm, torchvision or here"),
            "img_size": MODEL["img_size"],
            "epochs": Column("epochs"),
            "batch": Column("batch size", "images"),
            "lr": Column("highest learning rate"),
            "recipe": Column("what differs from scripts/train/recipe.py"),
            "precision": Column("arithmetic: fp32, bf16, fp16"),
            "compiled": Column("torch.compile or not"),
            "micro_batch": Column("images at once, where memory ran out", "images"),
            "param_count": MODEL["param_count"],
            "train_images": Column("training pictures"),
            "valid_images": Column("validation pictures"),
            "test_images": Column("test pictures"),
            **{
                name: Column(f"{words} on the test pictures", "0–1", True)
                for name, words in {
                    "accuracy": "accuracy",
                    "precision_macro": "precision, mean over classes",
                    "recall_macro": "recall, mean over classes",
                    "f1_macro": "F1, mean over classes",
                    "roc_auc": "area under the ROC curve, one class against the rest",
                    "ece": "expected calibration error",
                }.items()
            },
            "log_loss": Column("log loss on the test pictures", varies=True),
            "*_low": Column("lower end of the 95% bootstrap interval", varies=True),
            "*_high": Column("upper end", varies=True),
            "seconds_per_epoch": Column("median training time of an epoch", "s", True),
            "train_seconds": Column("training time", "s", True),
            "train_images_per_sec": Column("median training throughput", "images/s", True),
            "target_accuracy": Column("validation accuracy to reach", "0–1"),
            "seconds_to_target": Column("training time until it was reached; empty: it was not", "s", True),
            "infer_images_per_sec": Column("predicting the test pictures, preprocessing included", "images/s", True),
            "peak_memory_mb": Column("largest memory", "MB", True),
            "note": Column("what is n/a and why"),
            "date": Column("when, UTC"),
        },
    ),
    Table(
        "pets-*-predictions.csv",
        "Predictions of the exported model",
        "a photo",
        ("file",),
        {
            "file": Column("the photo's name"),
            "split": Column("validation or test"),
            "label": Column("what it shows"),
            "predicted": Column("what the model says"),
            "probability": Column("of that class", varies=True),
            "loss": Column("cross-entropy", varies=True),
            "p_*": Column("probability of this class", varies=True),
        },
    ),
    Table(
        "pets-*.csv",
        "Training of the exported model",
        "an epoch",
        ("epoch", "phase"),
        {
            "epoch": Column("its number"),
            "phase": Column("head, or all layers"),
            "train_loss": Column("cross-entropy", varies=True),
            "valid_loss": Column("cross-entropy on the validation photos", varies=True),
            "error_rate": Column("share of validation photos that are wrong", varies=True),
            "lr": Column("learning rate at its end"),
            "seconds": Column("time", "s", True),
        },
    ),
    Table(
        "cnn-summary.csv",
        "The convnet's layers",
        "a layer",
        ("stage", "kind", "output"),
        {
            "stage": Column("its stage"),
            "kind": Column("its kind"),
            "output": Column("shape of its output"),
            "parameters": Column("parameters"),
            "used_before": Column("whether its weights were counted before"),
            "output_mb": Column("size of its output", "MB"),
            "mult_adds": Column("multiply-accumulates"),
        },
    ),
    Table(
        "cnn-*-history.csv",
        "Training curve of the convnet",
        "an epoch",
        ("epoch",),
        {
            "epoch": Column("its number"),
            "lr": Column("learning rate"),
            "*": Column("loss, share of right answers, seconds, or images per second, as its name says", varies=True),
        },
    ),
    Table(
        "cnn-*.csv",
        "Runs of the convnet",
        "a run",
        ("dataset", "recipe", "seed"),
        {
            "dataset": Column("its name"),
            "recipe": Column("original or zoo"),
            "arch": Column("the network"),
            "seed": Column("its seed"),
            "*": Column(
                "setting or measured result, as its name says; losses are cross-entropy, accuracies shares", varies=True
            ),
        },
    ),
    Table(
        "runs-*-history.csv",
        "Curves of the runs",
        "a run and an epoch",
        ("run", "epoch"),
        {
            "run": Column("its folder's name"),
            "name": Column("what was trained"),
            "epoch": Column("its number"),
            "*": Column("what the run told, as its name says", varies=True),
        },
    ),
    Table(
        "runs-*.csv",
        "Runs on a machine",
        "a run",
        ("run",),
        {
            "run": Column("its folder's name"),
            "name": Column("what was trained"),
            "date": Column("when it began, UTC"),
            "status": Column("how it ended"),
            "minutes": Column("how long it took", "min", True),
            "epochs": Column("epochs that were finished"),
            "settings": Column("its settings, as JSON"),
            "*": Column("the last value of what the run told, as its name says", varies=True),
        },
    ),
    Table(
        "demo-*.csv",
        "The web app under load",
        "a model",
        ("model", "arch", "img_size"),
        {
            "model": Column("its folder, or untrained"),
            "arch": Column("its architecture"),
            "img_size": Column("input size", "pixels"),
            "start_seconds": Column("until the app answers", "s", True),
            "photo_ms": Column("from upload to answer, median, nobody else asking", "ms", True),
            "photos": Column("photos that median is of"),
            "users": Column("people asking at once"),
            "asked": Column("photos they brought"),
            "answered": Column("of these answered"),
            "slowest_seconds": Column("longest wait among them", "s", True),
            "load_before": Column("load average before", "", True),
        },
    ),
    Table(
        "search-*.csv",
        "A search for settings",
        "a trial",
        ("trial",),
        {
            "trial": Column("its number"),
            "state": Column("complete, pruned, or fail", varies=True),
            "accuracy": Column("on the validation photos, at its end", "0–1", True),
            "epochs": Column("epochs it was given", varies=True),
            "seconds": Column("time", "s", True),
            "note": Column("why it failed"),
            "*": Column("the setting of this name", varies=True),
        },
    ),
    Table(
        "accuracy.csv",
        "Published ImageNet accuracies",
        "a set of weights at an image size, compiled by hand from its source",
        ("model", "img_size"),
        {
            **MODEL,
            "tag": Column("weights"),
            "top5": Column("ImageNet top-5 accuracy; empty where not published", "%"),
            "pretrain": Column("data it was pretrained on"),
            "source": Column("where it was published"),
        },
    ),
    Table(
        "findings.csv",
        "Do the claims hold?",
        "a claim on a hardware configuration",
        ("claim", "vintage", "hardware", "part", "precision", "layout", "compiled", "torch"),
        {
            "claim": Column("the claim's name"),
            "vintage": Column("timm's tables of this date, or measured here"),
            "hardware": Column("the machine, as file names write it"),
            "hardware_name": Column("for people"),
            "part": Column("infer or train"),
            "precision": Column("arithmetic"),
            "layout": Column("memory layout"),
            "compiled": Column("torch.compile or not"),
            "torch": Column("version"),
            "year": Column("of the table"),
            "weights": Column("sets of weights in the table"),
            "verdict": Column("holds, conditional, fails, or no data"),
            "tie": Column("the deciding difference is within its uncertainty"),
            "margin": Column("by how much, in `unit`"),
            "uncertainty": Column("of the margin, in `unit`"),
            "unit": Column("of both"),
            "models": Column("models concerned"),
            "evidence": Column("in a sentence"),
            "main": Column("stands for machine and year in the matrix"),
        },
    ),
    Table(
        "joins.csv",
        "What joining speeds with accuracies did",
        "one of timm's tables",
        ("vintage", "file"),
        {
            "vintage": Column("date of timm's tables"),
            "file": Column("its name"),
            "results": Column("rows with an accuracy"),
            "matched": Column("of these, with a speed at the same size"),
            "renamed": Column("matched under a newer name"),
            "wrong_size": Column("timed at another size only"),
            "dropped": Column("not timed"),
            "timed_only": Column("timed, without accuracy"),
        },
    ),
    Table(
        "picks.csv",
        "The short answer",
        "a machine and a need",
        ("machine", "hardware", "vintage", "need"),
        {
            **MODEL,
            "machine": Column("then, gpu or cpu"),
            "hardware": Column("the machine"),
            "vintage": Column("date of timm's tables"),
            "need": Column("fast, balanced or accurate"),
            "floor_samples_per_sec": Column("the least speed that counts as enough", "images/s"),
            "samples_per_sec": SPEED,
        },
    ),
    Table(
        "summary.csv",
        "Figures that the pages quote",
        "a figure",
        ("key",),
        {"key": Column("its name"), "value": Column("its value"), "unit": Column("its unit")},
    ),
    Table(
        "machines-agreement.csv",
        "Do machines rank networks alike?",
        "a machine",
        ("machine",),
        {"machine": Column("the machine"), "*": Column("rank correlation of its speeds with this column's machine")},
    ),
    Table(
        "machines-compiling.csv",
        "What compiling gives",
        "a machine and a kind of network",
        ("machine", "kind"),
        {
            "machine": Column("the machine"),
            "kind": Column("convnet, transformer, hybrid, mlp, or all"),
            "networks": Column("networks in both tables"),
            "median": Column("speed compiled over eager"),
            "p05": Column("5% of networks gain less"),
            "p95": Column("5% gain more"),
            "changed": Column("networks left out, for their parameter count differs"),
        },
    ),
    Table(
        "machines-cpu_penalty.csv",
        "What a CPU costs each kind of network",
        "a CPU and a kind of network",
        ("cpu", "kind"),
        {
            "cpu": Column("the CPU"),
            "kind": Column("kind of network"),
            "median": Column("slow-down against convnets, median over GPUs"),
            "least": Column("smallest"),
            "most": Column("largest"),
            "gpus": Column("GPU settings (compiled or not) compared with"),
        },
    ),
    Table(
        "machines-frontiers.csv",
        "Who is on the frontier",
        "a machine",
        ("machine",),
        {
            "machine": Column("the machine"),
            "torch": Column("version"),
            "weights": Column("sets of weights"),
            "frontier": Column("of these on the frontier"),
            "families": Column("families on it, fastest first"),
        },
    ),
    Table(
        "machines-ours.csv",
        "Our machines beside timm's",
        "one of ours and one of timm's",
        ("ours", "theirs"),
        {
            "ours": Column("measured here"),
            "theirs": Column("in timm's tables"),
            "networks": Column("networks in both"),
            "rho": RHO,
            "ratio": Column("theirs over ours, median"),
            "least": Column("smallest"),
            "most": Column("largest"),
            "latency_networks": Column("networks that both timed one picture at a time"),
            "latency_ratio": Column("our wait over theirs, median"),
            "latency_least": Column("smallest"),
            "latency_most": Column("largest"),
        },
    ),
    Table(
        "machines-software.csv",
        "The same machine, newer software",
        "a machine, a memory layout and a newer PyTorch",
        ("machine", "layout", "before", "after"),
        {
            "machine": Column("the machine"),
            "layout": Column("memory layout"),
            "before": Column("PyTorch before"),
            "after": Column("PyTorch after"),
            "networks": Column("networks in both tables"),
            "median": Column("speed after over before"),
            "p01": Column("1% of networks gain less"),
            "p99": Column("1% gain more"),
            "changed": Column("networks left out, for their parameter count differs"),
            "families": Column("families of those"),
        },
    ),
    Table(
        "families.csv",
        "Every family, and what larger buys",
        "a family, on one card",
        ("family",),
        {
            "family": Column("family"),
            "label": Column("for people"),
            "weights": Column("sets of weights"),
            "networks": Column("architectures"),
            "frontier": Column("sets of weights on the frontier"),
            "best": Column("its most accurate weights"),
            "top1": Column("their ImageNet top-1 accuracy", "%"),
            "*_steps": Column("steps to the next larger picture or network"),
            "*_gain": Column("gain of such a step, median", "points"),
            "*_cost": Column("times slower, median"),
            "*_price": Column("gain per doubling of the time, median", "points"),
            "*_low": Column("95% bootstrap interval of that, lower end", "points"),
            "*_high": Column("upper end", "points"),
            "more": Column("which buys more: picture, network, tie; empty where too few steps"),
        },
    ),
    Table(
        "machines-stable.csv",
        "On the frontier of most machines",
        "a set of weights at an image size",
        ("model", "img_size"),
        {
            **MODEL,
            "machines": Column("settings (a machine, compiled or not) on whose frontier it is"),
            "timed": Column("settings that timed it"),
            "where": Column("the settings on whose frontier it is"),
        },
    ),
    Table(
        "machines-succession.csv",
        "What became of the frontier of 2022",
        "a model of that frontier",
        ("model", "img_size"),
        {
            **MODEL,
            "samples_per_sec": SPEED,
            "still": Column("still on it: yes, no, not timed"),
            "by": Column("what took its place"),
            "by_top1": Column("its accuracy", "%"),
            "by_samples_per_sec": Column("its throughput", "images/s"),
        },
    ),
    Table(
        "predict-design.csv",
        "Which networks to measure",
        "a network in the order of measuring, for a kind of processor",
        ("kind", "role", "place"),
        {
            "kind": Column("cpu or gpu"),
            "role": Column("measure, or check predictions by"),
            "place": Column("order, the most telling first"),
            "model": MODEL["model"],
            "img_size": MODEL["img_size"],
            "gmacs": Column("multiply-accumulates of a forward pass", "10⁹"),
            "expected_error": Column(
                "what is left after it: the typical factor by which a prediction is off, less one"
            ),
        },
    ),
    Table(
        "predict-evaluation.csv",
        "How well speeds are predicted",
        "a table of timm's that was left out, a count of measurements, and a method",
        ("file", "measured", "method"),
        {
            "machine": Column("the machine left out"),
            "kind": Column("cpu or gpu"),
            "part": Column("infer or train"),
            "file": Column("timm's table"),
            "measured": Column("networks that count as measured"),
            "method": Column("model: ours; similar, gmacs, activations: rivals"),
            "networks": Column("networks predicted"),
            "median_error": Column("median relative error"),
            "p90_error": Column("90% are off by less"),
            "spearman": RHO,
            "coverage": Column("share within the 90% interval"),
        },
    ),
    Table(
        "predict-check-*.csv",
        "Predictions held against measurements",
        "a network that was predicted on a machine and then measured there",
        ("arch", "img_size"),
        {
            "arch": MODEL["arch"],
            "img_size": MODEL["img_size"],
            "samples_per_sec": Column("throughput, measured", "images/s", True),
            "predicted": Column("throughput, predicted", "images/s", True),
            "low": Column("lower end of the 90% interval that was predicted", "images/s", True),
            "high": Column("upper end", "images/s", True),
        },
    ),
    Table(
        "predict-calibration.csv",
        "How wide intervals must be",
        "a count of measurements",
        ("measured", "level"),
        {
            "measured": Column("networks measured"),
            "level": Column("of the interval"),
            "multiplier": Column("of the model's own spread"),
        },
    ),
    Table(
        "predict-families.csv",
        "Which families are harder to predict",
        "a family",
        ("family",),
        {"family": MODEL["family"], "factor": Column("of the spread for this family")},
    ),
    Table(
        "predict-networks.csv",
        "How well kinds of networks are predicted",
        "a kind of processor and of network",
        ("kind", "network"),
        {
            "kind": Column("cpu or gpu"),
            "network": Column("convnet, transformer, hybrid, mlp"),
            "networks": Column("predictions"),
            "median_error": Column("median relative error"),
            "p90_error": Column("90% are off by less"),
        },
    ),
    Table(
        "robustness.csv",
        "Does ImageNet accuracy carry over?",
        "a test set",
        ("set",),
        {
            "set": Column("test set"),
            "name": Column("for people"),
            "n": Column("sets of weights"),
            "rho": RHO,
            "rho_best": Column("rank correlation among the hundred best"),
            "*_uncertainty": Column("of the figure before it"),
            "loss": Column("median loss of accuracy", "points"),
        },
    ),
    Table(
        "robustness-families.csv",
        "Which families lose least",
        "a test set and a family",
        ("set", "family"),
        {
            "set": Column("test set"),
            "family": MODEL["family"],
            "n": Column("sets of weights"),
            "loss": Column("median loss of accuracy", "points"),
            "beyond": Column("accuracy beyond what ImageNet's predicts, median", "points"),
        },
    ),
]


def table(name: str) -> Table | None:
    """The entry for a file's name or path; None where the dictionary has none."""
    name = PurePosixPath(name).name
    return next((entry for entry in TABLES if fnmatchcase(name, entry.pattern)), None)


def key(name: str) -> tuple[str, ...]:
    """The columns that name a row of the file `name`; () where the dictionary does not know it."""
    found = table(name)
    return found.key if found else ()


def tolerance(name: str, column: str) -> float:
    """The relative change in `column` of the file `name` that may be chance."""
    found = table(name)
    entry = found.column(column) if found else None
    return VARIES if entry and entry.varies else EXACT


def unknown(folder: Path = DATA) -> list[str]:
    """Tables and columns that the dictionary does not explain: 'file', or 'file: column'."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        entry = table(path.name)
        names = [] if entry is None else [name for name in read_table(path).columns if entry.column(name) is None]
        found += [path.name] if entry is None else [f"{path.name}: {name}" for name in names]
    return found


def remedy(missing: list[str]) -> str:
    """What to do about what `unknown` found, in a sentence."""
    return (
        f"not in the data dictionary: {'; '.join(missing)}. Add a Table for a file, a Column for a column (meaning, "
        "unit, whether it varies from run to run) "
        f"to TABLES in {HERE}; report/data.qmd then explains it and `make diff` knows its key and tolerance"
    )


def files(entry: Table, folder: Path = DATA) -> list[Path]:
    """The committed CSVs of an entry; a file belongs to the first entry that matches."""
    return [path for path in sorted(folder.glob(entry.pattern)) if table(path.name) is entry]


def show() -> None:
    """Print the dictionary as Markdown: a section per table with its files, where they come from, and its columns."""
    import pandas as pd

    from scripts.pages import how_made, page

    for entry in TABLES:
        here = files(entry)
        if not here:
            continue
        print(f"\n## {entry.title}\n\nOne row is {entry.row}. Key: {', '.join(f'`{name}`' for name in entry.key)}.\n")
        rows = []
        for path in here:
            try:
                facts = provenance.read_sidecar(path)
                date = page.Html(
                    " ".join(
                        filter(None, [page.escaped(str(facts.get("date", ""))[:10]), how_made.mark([relative(path)])])
                    )
                )
                made = (
                    page.link("JSON", f"/{relative(provenance.sidecar_path(path))}"),
                    facts["hardware"].get("name", ""),
                    date,
                    page.code(facts.get("command", "")),
                )
            except UserError:
                made = ("", "", "", "by hand")
            rows.append((page.data_link(relative(path)), len(read_table(path)), *made))
        page.table(pd.DataFrame(rows, columns=["file", "rows", "sidecar", "machine", "date", "made by"]))
        columns = [
            (page.code(name), column.meaning, column.unit)
            for name, column in entry.columns.items()
            if any(_has(path, name) for path in here)
        ]
        page.html(f'<details class="more"><summary>What its {len(columns)} columns mean</summary>')
        page.table(pd.DataFrame(columns, columns=["column", "meaning", "unit"]).replace("", None))
        page.html("</details>")


def _has(path: Path, name: str) -> bool:
    """Whether a file has a column of that name or pattern."""
    return any(fnmatchcase(column, name) for column in read_table(path).columns)
