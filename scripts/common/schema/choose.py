"""The tables of pretrained networks ranked on a folder of photos."""

from __future__ import annotations

from scripts.common.schema.base import Column, Table

_SHARE = {
    "cv_accuracy": Column("share of training photos that a probe gets right which has not seen them", "0–1", True),
    "cv_low": Column("lower end of its interval, at the sidecar's level", "0–1", True),
    "cv_high": Column("upper end", "0–1", True),
    "neighbours": Column("the same for the vote of the ten nearest photos", "0–1", True),
    "test_accuracy": Column("share of test photos that the probe gets right, empty without test photos", "0–1", True),
    "test_low": Column("lower end of its interval", "0–1", True),
    "test_high": Column("upper end", "0–1", True),
    "behind": Column("by how much the best is right more often, on the same training photos", "0–1", True),
    "behind_low": Column("lower end of its interval; over 0: really behind", "0–1", True),
    "behind_high": Column("upper end", "0–1", True),
}

TABLES = [
    Table("choose-*-curve.csv", "How many photos the chosen network needs", "a number of photos", "photos").of(
        photos=Column("training photos that the probe learned from"),
        accuracy=Column("share of the held out photos that are right, the mean of draws", "0–1", True),
        low=Column("lower end of its interval", "0–1", True),
        high=Column("upper end", "0–1", True),
    ),
    Table("choose-*-confusion.csv", "What the chosen network takes for what", "two classes", "label predicted").of(
        label=Column("true class"),
        predicted=Column("the class it was taken for"),
        photos=Column("so many of them", varies=True),
        of=Column("photos of the true class"),
        share=Column("of these", "0–1", True),
    ),
    Table(
        "choose-*-evidence.csv",
        "From scratch, frozen and fine-tuned",
        "a way to train, on one dataset and from one seed",
        "dataset network how seed",
    ).of(
        dataset=Column("the photos"),
        network=Column("timm's name, or the zoo's"),
        how=Column("from scratch, frozen (a probe) or fine-tuned"),
        seed=Column("of validation photos, order and augmentation"),
        img_size=Column("pixels a side"),
        valid_accuracy=Column("share of the validation photos that are right", "0–1", True),
        test_accuracy=Column("share of the test photos that are right", "0–1", True),
        seconds=Column("for all of it", "s", True),
    ),
    Table(
        "choose-*.csv",
        "Pretrained networks on one's own photos",
        "a backbone at a picture size",
        "backbone weights img_size",
    ).of(
        backbone=Column("timm's name, or the colour histogram"),
        weights=Column("their tag; random; empty for none"),
        img_size=Column("pixels a side"),
        pretrain=Column("what it was pretrained on: in1k, distilled, in21k, web or unknown"),
        imagenet_top1=Column("top-1 on ImageNet that timm publishes for these weights at this size", "%"),
        verdict=Column(
            "best, tied, ahead (on few photos), behind, floor (no pretraining), untried or failed", varies=True
        ),
        photos=Column("training photos that it was judged on, fewer where it was dropped early", varies=True),
        **_SHARE,
        images_per_sec=Column("through the network alone, median of batches", "images/s", True),
        runtime=Column("what computed the features"),
        precision=Column("of the arithmetic"),
        threads=Column("of the processor"),
        batch=Column("photos at once"),
        seconds=Column("for its features in that run; 0 where they were known", "s", True),
        features=Column("numbers a photo"),
        note=Column("why it was dropped or failed", varies=True),
    ),
]
