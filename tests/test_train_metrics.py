import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from scripts.train import metrics


def guesses(n=300, classes=3, seed=0, skill=1.5):
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    logits = random.normal(size=(n, classes)) + skill * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_points_are_scikit_learns(classes):
    probabilities, labels = guesses(classes=classes)
    found = metrics.evaluate(probabilities, labels, [f"c{i}" for i in range(classes)], resamples=50)
    chosen = probabilities.argmax(1)
    values = {name: value for name, (value, _, _) in found.values.items()}
    assert values["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, chosen))
    assert values["f1_macro"] == pytest.approx(sklearn_metrics.f1_score(labels, chosen, average="macro"))
    assert values["log_loss"] == pytest.approx(sklearn_metrics.log_loss(labels, probabilities))
    auc = sklearn_metrics.roc_auc_score(
        labels, probabilities[:, 1] if classes == 2 else probabilities, multi_class="ovr"
    )
    assert values["roc_auc"] == pytest.approx(auc)
    assert not found.reasons and found.per_class["recall"].mean() == pytest.approx(values["recall_macro"])


def test_the_bootstrap_weighs_images_as_scikit_learn_does():
    probabilities, labels = guesses(n=60)
    chosen = probabilities.argmax(1)
    spread, shares = metrics._bootstrap(probabilities, labels, chosen, 3, resamples=5, seed=1)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), 5)
    for i, row in enumerate(weights):
        assert spread["accuracy"][i] == pytest.approx(sklearn_metrics.accuracy_score(labels, chosen, sample_weight=row))
        assert spread["log_loss"][i] == pytest.approx(
            sklearn_metrics.log_loss(labels, probabilities, sample_weight=row)
        )
        expected = sklearn_metrics.precision_recall_fscore_support(labels, chosen, sample_weight=row)[:3]
        assert shares[i] == pytest.approx(np.array(expected))
        auc = np.mean(
            [sklearn_metrics.roc_auc_score(labels == k, probabilities[:, k], sample_weight=row) for k in range(3)]
        )
        assert spread["roc_auc"][i] == pytest.approx(auc)
        repeated = np.repeat(np.arange(60), row)
        assert spread["ece"][i] == pytest.approx(metrics.calibration_error(probabilities[repeated], labels[repeated]))


def test_ties_count_half():
    scores, positive = np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, True, False, True])
    assert (
        metrics._weighted_auc(scores, positive, np.ones((1, 4)))[0]
        == sklearn_metrics.roc_auc_score(positive, scores)
        == 0.875
    )


def test_an_interval_holds_its_value_and_narrows_with_more_images():
    few = metrics.evaluate(*guesses(n=60), ["a", "b", "c"]).values
    many = metrics.evaluate(*guesses(n=3000), ["a", "b", "c"]).values
    for name in metrics.NAMES:
        value, low, high = many[name]
        assert low <= value <= high or name == "ece", (
            name
        )  # resampling adds to a calibration error: its interval lies above
        assert high - low < few[name][2] - few[name][1], name


def test_calibration_error_of_a_boaster_and_of_an_honest_one():
    labels = np.zeros(100, int)
    labels[60:] = 1
    boaster = np.tile([0.99, 0.01], (100, 1))
    honest = np.tile([0.6, 0.4], (100, 1))
    assert metrics.calibration_error(boaster, labels) == pytest.approx(0.39)
    assert metrics.calibration_error(honest, labels) == pytest.approx(0.0, abs=1e-9)


def test_a_class_never_predicted_makes_precision_na_with_the_reason():
    probabilities = np.tile([0.9, 0.1], (10, 1))
    found = metrics.evaluate(probabilities, np.arange(10) % 2, ["cats", "dogs"])
    assert np.isnan(found.values["precision_macro"]).all() and found.reasons == [
        "precision n/a: never predicted 'dogs'"
    ]
    assert found.values["f1_macro"][0] == pytest.approx(1 / 3) and found.values["accuracy"][0] == 0.5
    assert np.isnan(found.per_class["precision"][1]) and found.per_class["recall"][1] == 0


def test_a_class_without_test_images_makes_recall_and_auc_na_with_the_reason():
    probabilities, labels = guesses(n=40, classes=3)
    keep = labels != 2
    found = metrics.evaluate(probabilities[keep], labels[keep], ["a", "b", "c"])
    for name in ("recall_macro", "f1_macro", "roc_auc"):
        assert np.isnan(found.values[name]).all()
    assert np.isfinite(found.values["log_loss"]).all() and "no test image of 'c'" in found.reasons[-1]
    assert np.isnan(found.per_class.loc[2, ["recall", "f1", "f1_low", "f1_high"]].astype(float)).all()


def test_a_sure_mistake_has_a_finite_loss():
    found = metrics.evaluate(np.array([[1.0, 0.0], [0.0, 1.0]] * 5), np.array([1, 1] * 5), ["a", "b"])
    assert found.values["log_loss"][0] == pytest.approx(-np.log(metrics.FLOOR) / 2, rel=1e-3)


def test_many_classes_fit_into_memory():
    import tracemalloc

    probabilities, labels = guesses(n=600, classes=300)
    tracemalloc.start()
    metrics._bootstrap(probabilities, labels, probabilities.argmax(1), 300, 200, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # a confusion matrix for each resample takes 144 MB
