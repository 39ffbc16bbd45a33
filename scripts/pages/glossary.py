"""The words that the pages use without stopping to explain them: one definition each, for the glossary and for notes in
the margin.

    from scripts.pages import glossary
    glossary.show()             # the glossary itself; in a cell with `#| output: asis`
    glossary.note("frontier")   # the same definition in the margin, beside the paragraph that uses the word first

In the text a word links to its definition: [frontier](glossary.qmd#frontier).
"""

from __future__ import annotations

from scripts.common.errors import UserError
from scripts.pages import page

# anchor -> (the word, what it means), as Markdown; by theme, in reading order
TERMS: dict[str, dict[str, tuple[str, str]]] = {
    "What is compared": {
        "architecture": (
            "Architecture",
            "The plan of a network: its layers and how they are connected. It decides the speed. timm writes it before "
            "the point of a name: `convnext_base` of `convnext_base.fb_in22k_ft_in1k`.",
        ),
        "weights": (
            "Weights",
            "What a network has learned. One architecture may have several sets, trained on different pictures, and "
            "they may differ much in accuracy, not in speed. timm's name for a set, its *tag*, follows the point.",
        ),
        "family": ("Family", "Architectures of one design in several sizes, such as ConvNeXt or LeViT."),
        "convnet": (
            "Convnet",
            "A convolutional network: each layer looks at small neighbourhoods of the picture, with the same filter "
            "everywhere.",
        ),
        "transformer": (
            "Transformer",
            "A network that cuts the picture into patches and lets every patch look at every other. *Hybrids* mix "
            "both.",
        ),
        "frontier": (
            "Frontier",
            "The models that are not beaten: nothing timed on that machine is both more accurate and at least as fast. "
            "On a chart they form a staircase, because between two models there is none.",
        ),
    },
    "How good": {
        "top-1": (
            "Top-1",
            "The share of test pictures whose first guess is right. Here, of ImageNet's validation set, unless it "
            "says otherwise.",
        ),
        "standard-error": (
            "Standard error",
            "How far a figure measured on so many pictures would stray if other pictures had been drawn. Two "
            "models whose accuracies differ by less than twice the standard error of the difference are a tie; what "
            "that is depends on how often both are wrong on the same pictures (see [method](method.qmd)).",
        ),
        "pretraining": (
            "Pretraining",
            "What a network learned from before ImageNet's thousand classes: `in1k` nothing else; `in12k`, `in21k`, "
            "`in22k` larger parts of ImageNet; `laion2b`, "
            "`openai`, `ig1b` and others pictures from the web; `dist` the answers of a larger network.",
        ),
        "fine-tuning": ("Fine-tuning", "Training a network that knows other pictures a little more, on one's own."),
        "precision": ("Precision", "Of the pictures that a network puts into a class, the share that belongs there."),
        "recall": ("Recall", "Of the pictures that belong to a class, the share that a network puts there."),
        "f1": ("F1", "Precision and recall in one figure, their harmonic mean: high only where both are."),
        "roc-auc": (
            "ROC AUC",
            "How likely a picture of a class gets a higher score for it than a picture of another class: 1 always, "
            "0.5 by chance.",
        ),
        "log-loss": (
            "Log loss",
            "The price of being sure and wrong: the mean of minus the logarithm of the probability given to the "
            "right class. Lower is better.",
        ),
        "ece": ("ECE", "Expected calibration error: how far a network's confidence is from its hit rate, on average."),
        "bootstrap": (
            "Bootstrap",
            "How far a figure would stray with other test pictures, found by drawing from the same ones again and "
            "again, with repeats.",
        ),
        "epoch": ("Epoch", "One pass of training through all its pictures."),
        "seed": (
            "Seed",
            "The number that starts all that is random in a training: first weights, order of pictures, "
            "augmentation. Another seed is the same experiment again.",
        ),
        "robustness": (
            "Beyond expectation",
            "Points of accuracy on another test set above what ImageNet accuracy lets one expect (effective "
            "robustness).",
        ),
    },
    "How fast": {
        "throughput": (
            "Throughput",
            "Images per second when many are handled at once, in *batches*. Decoding the files is not in it.",
        ),
        "latency": (
            "Latency",
            "The time for a single picture, from input to answer. Throughput may be high and latency long.",
        ),
        "batch": (
            "Batch",
            "The pictures that go through the network together. Larger batches keep a graphics card busy until its "
            "memory is full.",
        ),
        "parameters": (
            "Parameters",
            "The numbers that a network has learned, in millions (M). They say how large the file is, and little "
            "about speed.",
        ),
        "gmacs": (
            "GMACs",
            "Billions of multiply-adds for one picture: the arithmetic of a forward pass. One multiply-add is two "
            "floating-point operations.",
        ),
        "activations": (
            "Activations",
            "The numbers that a network writes to memory on its way to an answer, in millions for one picture. A "
            "graphics card often waits for these, not for arithmetic.",
        ),
        "amp": (
            "AMP",
            "Automatic mixed precision: most of the arithmetic in 16 bits, the delicate parts in 32. Faster on "
            "graphics cards; whether a network is as accurate with it is not tested here. *fp32* is all in 32 bits, "
            "*bf16* a 16-bit format with the range of fp32.",
        ),
        "channels-last": (
            "Channels last",
            "How pictures lie in memory: the colours of one pixel side by side (*NHWC*) instead of one colour's whole "
            "plane after the other (*NCHW*). Some cards and many convnets are faster with it.",
        ),
        "compiled": (
            "Compiled, eager",
            "*Eager*: PyTorch runs a network operation by operation. *Compiled*: `torch.compile` first makes one "
            "program of it, with operations "
            "merged. That takes a minute once; most networks are faster after it, some slower.",
        ),
        "roofline": (
            "Roofline",
            "The least time that a machine could take: all its arithmetic and memory traffic at full speed. *Percent "
            "of roofline* is how near a measurement comes.",
        ),
        "interval": (
            "95% interval",
            "The range in which the true median lies with 95% confidence, given how much the timings scatter.",
        ),
        "percentile": (
            "Percentile",
            "The value below which so many of a hundred lie: 5 of a hundred lie below the 5th percentile, half below "
            "the median.",
        ),
        "rank-correlation": (
            "Rank correlation",
            "Spearman's: whether two orders agree, whatever the sizes. 1 the same order, 0 no relation, −1 the "
            "opposite.",
        ),
    },
    "Where it comes from": {
        "vintage": (
            "Vintage",
            "A state of timm's published tables, pinned by commit: the notebook's, and the newest. Each file in it has "
            "a date of its own: the day on which it last changed.",
        ),
        "sidecar": (
            "Sidecar",
            "The JSON file beside a table that says how it was made: command, commit, hardware, versions, date and "
            "checksum.",
        ),
    },
}
_ALL = {anchor: term for group in TERMS.values() for anchor, term in group.items()}


def note(anchor: str) -> None:
    """Print the definition of one word as a note in the margin. Raises UserError for a word that has none."""
    if anchor not in _ALL:
        raise UserError(
            f"glossary: no word {anchor!r} in scripts/pages/glossary.py; add it, or choose one of {', '.join(_ALL)}"
        )
    word, meaning = _ALL[anchor]
    page.markdown(f"::: {{.column-margin .term}}\n**[{word}](/report/glossary.qmd#{anchor})** {meaning}\n:::")


def links(*anchors: str) -> str:
    """The words as Markdown links to their definitions: 'Precision, Recall, F1'. Raises UserError for a word that has
    none."""
    unknown = [anchor for anchor in anchors if anchor not in _ALL]
    if unknown:
        raise UserError(f"glossary: no word {unknown[0]!r} in scripts/pages/glossary.py; add it")
    return ", ".join(f"[{_ALL[anchor][0]}](/report/glossary.qmd#{anchor})" for anchor in anchors)


def show() -> None:
    """Print every word with its definition, by theme."""
    for theme, group in TERMS.items():
        page.markdown(
            f"## {theme}\n\n"
            + "\n\n".join(f"### {word} {{#{anchor} .term}}\n\n{meaning}" for anchor, (word, meaning) in group.items())
        )
