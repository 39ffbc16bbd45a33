import pytest

from scripts.train import splits

TRAIN = [
    "train",
    "Training",
    "training_set",
    "train-set",
    "Train Images",
    "training_data",
    "trainset",
    "TrainSet",
    "trn",
    "images_train",
    "imgs-train",
    "train_images",
    "train (1)",
    "train.images",
    "TRAIN",
    "trainval",
    "train_val",
    "ＴＲＡＩＮ",
    "train folder",
    "trainingimages",
    "Data_Train",
]
TEST = [
    "test",
    "test_set",
    "testing",
    "Test Images",
    "test1",
    "eval",
    "evaluation-set",
    "PublicTest",
    "testset",
    "hold-out",
]
VALID = ["val", "valid", "validation", "Validation_Set", "dev", "devset", "valset", "val_images"]
NONE = [
    "cats",
    "steam train",
    "trainers",
    "contest",
    "latest",
    "attest",
    "devices",
    "valley",
    "evaluator",
    "images",
    "set",
    "train_test_split",
    "test and validation",
    "protest",
    "strain",
    "restaurants",
    "train_masks",
    "",
    "2017",
    "写真",
]


@pytest.mark.parametrize(
    "split, names", [(splits.TRAIN, TRAIN), (splits.TEST, TEST), (splits.VALID, VALID), (None, NONE)]
)
def test_names_that_people_use(split, names):
    assert {name: splits.among([name]).get(name) for name in names} == dict.fromkeys(names, split)


@pytest.mark.parametrize(
    "names",
    [
        ("seg_train", "seg_test"),
        ("train2017", "val2017"),
        ("flowers-train", "flowers-test"),
        ("train_224", "test_224"),
        ("Pets Training", "Pets Validation"),
    ],
)
def test_a_word_of_its_own_is_shared_by_the_splits(names):
    assert set(splits.among(names)) == set(names)
    assert not splits.among(names[:1]) and not splits.among([names[0], "cars"])


def test_unlabelled_photos_are_known():
    assert splits.among(["seg_train", "seg_pred"]) == {"seg_train": splits.TRAIN, "seg_pred": splits.UNLABELLED}
    assert splits.among(["train_unlabeled"]) == {"train_unlabeled": splits.UNLABELLED}


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        "__MACOSX",
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "lost+found",
        "_thumbnails",
        "Thumbnails",
        "System Volume Information",
    ],
)
def test_folders_of_systems_are_hidden(name):
    assert splits.hidden(name)


def test_a_finger_is_a_class_and_thumbs_inside_one_are_not():
    assert not splits.hidden("thumb") and splits.hidden("thumbs", inside=True)
    assert not splits.hidden("cats", inside=True) and not splits.hidden("#happy")
