import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from skdatamodels import outputs
from skdatamodels.outputs import (
    OUTPUTS,
    check_output,
    confidence,
    correctness,
    cross_entropy,
    encode_targets,
    get_output,
    log_odds,
    margin,
    prediction,
    squared_error,
)

CLASSIFICATION = [o for o in OUTPUTS.values() if o.task == "classification"]


@st.composite
def logits_and_y(draw, bound=50):
    n_classes = draw(st.integers(2, 5))
    n_targets = draw(st.integers(1, 6))
    shape = (n_targets, n_classes)
    raw = draw(hnp.arrays(np.float64, shape, elements=st.integers(-bound, bound)))
    y = draw(hnp.arrays(np.intp, n_targets, elements=st.integers(0, n_classes - 1)))
    return raw / 8, y  # eighths: sums and differences of them are exact


@given(logits_and_y())
def test_against_scipy_sklearn_and_loops(case):
    raw, y = case
    rows = np.arange(len(y))
    others = [np.delete(row, label) for row, label in zip(raw, y, strict=True)]
    assert_array_equal(margin(raw, y), raw[rows, y] - [o.max() for o in others])
    assert_allclose(
        log_odds(raw, y), raw[rows, y] - [logsumexp(o) for o in others], atol=1e-12
    )
    proba = softmax(raw, axis=1)
    assert_allclose(confidence(raw, y), proba[rows, y], rtol=1e-12)
    assert_allclose(
        cross_entropy(raw, y), -log_softmax(raw, axis=1)[rows, y], atol=1e-12
    )
    expected = log_loss(y, proba, labels=np.arange(raw.shape[1]))
    assert_allclose(cross_entropy(raw, y).mean(), expected, atol=1e-9)
    assert_array_equal(correctness(raw, y), [np.argmax(r) for r in raw] == y)
    for output in CLASSIFICATION:
        values = output(raw, y)
        assert values.shape == y.shape
        assert values.dtype == np.float64


@given(logits_and_y(), st.integers(-80, 80))
def test_shift_of_all_logits_changes_nothing(case, shift):
    raw, y = case
    for output in CLASSIFICATION:
        assert_allclose(output(raw + shift / 8, y), output(raw, y), atol=1e-12)


@given(logits_and_y(), st.randoms())
def test_order_of_classes_changes_nothing(case, random):
    raw, y = case
    order = list(range(raw.shape[1]))
    random.shuffle(order)
    ties = margin(raw, y) == 0  # a tie goes to the first column, by definition
    for output in CLASSIFICATION:
        moved = output(raw[:, order], np.argsort(order)[y])
        assert_allclose(moved[~ties], output(raw, y)[~ties], atol=1e-12)


@given(logits_and_y())
def test_relations_between_outputs(case):
    raw, y = case
    margins = margin(raw, y)
    away = margins != 0
    assert_array_equal((margins > 0)[away], correctness(raw, y)[away] == 1)
    assert (log_odds(raw, y) <= margins + 1e-12).all()
    assert_allclose(confidence(raw, y), np.exp(-cross_entropy(raw, y)))
    if raw.shape[1] == 2:
        assert_allclose(margins, log_odds(raw, y), atol=1e-12)


def test_input_is_left_alone():
    raw, y = np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([0, 1])
    raw.setflags(write=False)
    y.setflags(write=False)
    for output in CLASSIFICATION:
        output(raw, y)
    assert not np.shares_memory(prediction(raw[0], y), raw)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_huge_logits_give_finite_values_without_warnings(n_classes):
    raw = np.full((2, n_classes), -1e4)
    raw[0, 0] = raw[1, 1] = 1e4
    y = np.array([0, 0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = {output.name: output(raw, y) for output in CLASSIFICATION}
    assert_array_equal(values["margin"], [2e4, -2e4])
    assert_allclose(values["log_odds"], [2e4 - np.log(n_classes - 1), -2e4])
    assert_array_equal(values["confidence"], [1, 0])
    assert_allclose(values["cross_entropy"], [0, 2e4])
    assert_array_equal(values["correctness"], [1, 0])


def test_small_losses_keep_their_digits():
    assert_allclose(cross_entropy([[40.0, 0.0]], [0]), np.exp(-40), rtol=1e-12)


def test_tie_goes_to_the_first_class():
    raw = [[1.0, 1.0, 0.0]] * 2
    assert_array_equal(correctness(raw, [0, 1]), [1, 0])
    assert_array_equal(margin(raw, [0, 1]), [0, 0])


def test_regression_outputs():
    rng = np.random.default_rng(0)
    raw, y = rng.normal(size=(2, 9))
    assert_array_equal(prediction(raw, y), raw)
    assert_allclose(
        squared_error(raw, y), [(a - b) ** 2 for a, b in zip(raw, y, strict=True)]
    )


def test_registry():
    assert {name: (o.unit, o.task[:5]) for name, o in OUTPUTS.items()} == {
        "margin": ("log-odds", "class"),
        "log_odds": ("log-odds", "class"),
        "confidence": ("probability", "class"),
        "cross_entropy": ("nats", "class"),
        "correctness": ("0/1", "class"),
        "prediction": ("units of y", "regre"),
        "squared_error": ("units of y squared", "regre"),
    }
    for name, output in OUTPUTS.items():
        assert get_output(name) is get_output(output) is output
        assert output.function is getattr(outputs, name)


def test_own_function():
    def gap(raw, y):
        return np.ptp(raw, axis=1)

    output = get_output(gap)
    assert (output.name, output.task) == ("gap", None)
    assert_array_equal(
        output(np.array([[1.0, 4.0], [2.0, 2.0]]), np.array([0, 1])), [3, 0]
    )
    assert (
        check_output(gap, Ridge()) == check_output(gap, LogisticRegression()) == output
    )
    with pytest.raises(ValueError, match=r"'<lambda>' must give .* \(1,\).*\(1, 2\)"):
        get_output(lambda raw, y: raw)(np.array([[1.0, 4.0]]), np.array([0]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: get_output("loss"),
            ValueError,
            "one of confidence, correctness.*callable.*'loss'",
        ),
        (lambda: get_output(3), TypeError, "one of confidence"),
        (
            lambda: check_output("margin", Ridge()),
            ValueError,
            "use output='prediction'",
        ),
        (
            lambda: check_output("prediction", LogisticRegression()),
            ValueError,
            "does classification: use output='margin'",
        ),
        (lambda: check_output("margin", KMeans()), TypeError, "KMeans has no output"),
        (
            lambda: check_output("margin", LogisticRegression(), classes=[7]),
            ValueError,
            r"single class \[7\]",
        ),
        (lambda: margin([[1.0]], [0]), ValueError, "two or more classes"),
        (lambda: margin([[1.0, 2.0]], [0, 1]), ValueError, r"shape \(1,\), got \(2,\)"),
        (lambda: margin([[1.0, 2.0]], [2]), ValueError, r"indices 0\.\.1"),
        (lambda: margin([[1.0, 2.0]], [-1]), ValueError, r"indices 0\.\.1"),
        (lambda: margin([[1.0, 2.0]], ["a"]), ValueError, "encode_targets"),
        (lambda: prediction([[1.0]], [1.0]), ValueError, r"\(1, 1\) and \(1,\)"),
        (lambda: squared_error([1.0], [1.0, 2.0]), ValueError, r"\(1,\) and \(2,\)"),
        (
            lambda: encode_targets(["a", "x"], ["a"]),
            ValueError,
            r"training set: \['x'\]",
        ),
        (
            lambda: encode_targets([1, 2], ["1", "2"]),
            ValueError,
            r"training set: \[1, 2\]",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_check_output_accepts():
    assert check_output("margin", LogisticRegression(), [0, 1]) is OUTPUTS["margin"]
    assert check_output("prediction", Ridge(), classes=None) is OUTPUTS["prediction"]


@given(st.lists(st.sampled_from("abcd"), min_size=1))
def test_encoding_is_inverted_by_indexing(y):
    classes = np.unique(y)
    codes = encode_targets(y, classes)
    assert codes.dtype == np.intp
    assert_array_equal(classes[codes], y)
    assert_array_equal(codes, np.unique(y, return_inverse=True)[1])
