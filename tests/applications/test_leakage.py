import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone, is_outlier_detector
from sklearn.metrics import average_precision_score

from skdatamodels import Examples
from skdatamodels.applications import LeakageDetector, read_annotations
from skdatamodels.pages._candidates import data_fingerprint


def _evidence(weights, distances):
    """Both kinds of evidence of one target, one example at a time."""
    n_train = len(weights)
    by_weight, by_distance = np.zeros(n_train), np.zeros(n_train)
    for i in range(n_train):
        if weights[i] > 0:
            by_weight[i] = weights[i] ** 2 / (weights**2).sum()
        others = np.delete(distances, i).min()
        if distances[i] == 0:
            by_distance[i] = 1
        elif distances[i] < others:
            by_distance[i] = 1 - distances[i] / others
    return by_weight, by_distance


def _problem(n_targets=15, n_train=20, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n_targets, n_train))
    weights[rng.random(weights.shape) < 0.6] = 0
    train, targets = rng.normal(size=(n_train, 3)), rng.normal(size=(n_targets, 3))
    return weights, {"train_representation": train, "target_representation": targets}


@pytest.mark.parametrize("block_entries", [1, 2**22])
def test_evidence_and_candidates(block_entries, monkeypatch):
    monkeypatch.setattr(
        "skdatamodels.applications._leakage._BLOCK_ENTRIES", block_entries
    )
    weights, both = _problem()
    both["target_representation"][3] = both["train_representation"][7]
    detector = LeakageDetector(n_candidates=6, higher_is_better=True).fit(
        weights, **both
    )
    train, targets = both["train_representation"], both["target_representation"]
    for j, row in enumerate(weights):
        distances = np.sqrt(((train - targets[j]) ** 2).sum(axis=1))
        kinds = np.column_stack(_evidence(row, distances))
        # by turns, each example once
        by_weight = [i for i in np.argsort(-row) if row[i] > 0]
        turns = []
        for k, i in enumerate(np.argsort(distances)):
            turns += [*by_weight[k : k + 1], i]
        expected = list(dict.fromkeys(turns))[:6]
        found = detector.candidates_[j]
        assert set(found) == set(expected)
        assert_allclose(detector.evidence_[j], kinds[found], atol=1e-12)
        totals = kinds[found] @ [0.5, 1]
        assert (np.diff(totals) <= 1e-12).all()
        assert_allclose(detector.leakage_score_[j], totals[0])
    assert detector.candidates_[3, 0] == 7
    assert detector.evidence_[3, 0, 1] == 1
    assert_allclose(
        detector.score_samples(weights, target_representation=targets),
        -detector.leakage_score_,
    )


def test_zero_weights_are_no_candidates():
    """A row of zeros ranks nothing, so it cannot hit by the order of the examples."""
    weights = np.array([[0.0, 0, 0, 0], [0, -1, 0, 0], [0, 2, 0, 1]])
    for matrix in (weights, csr_array(weights)):
        detector = LeakageDetector(
            n_candidates=3, threshold=0.01, higher_is_better=True
        ).fit(matrix)
        assert detector.candidates_.tolist() == [[-1] * 3, [-1] * 3, [1, 3, -1]]
        assert_allclose(detector.leakage_score_, [0, 0, 0.8])
        assert detector.spoke_.tolist() == ["none", "none", "weights"]
        assert detector.predict(matrix).tolist() == [1, 1, -1]


def test_says_which_spoke():
    weights = np.array([[9.0, 0.1], [0.0, 0.0], [1.0, 1.0], [9.0, 0.1]])
    train = np.array([[0.0], [10.0]])
    targets = np.array([[5.0], [9.9], [5.0], [0.1]])
    detector = LeakageDetector(n_candidates=1, higher_is_better=True).fit(
        weights, train_representation=train, target_representation=targets
    )
    spoke = ["weights", "representation", "weights", "both"]
    assert detector.spoke_.tolist() == spoke


def test_no_more_candidates_than_examples():
    detector = LeakageDetector(n_candidates=5, higher_is_better=True).fit(
        np.array([[1.0], [0.0]])
    )
    assert detector.candidates_.tolist() == [[0, -1, -1, -1, -1], [-1] * 5]
    detector.fit([[1.0]], train_representation=[[2.0]], target_representation=[[2.0]])
    assert detector.leakage_score_ == 1.5


@pytest.mark.parametrize("contamination", [0.1, 0.2, 0.4])
def test_contamination_flags_that_share(contamination):
    weights, both = _problem(n_targets=50)
    detector = LeakageDetector(contamination=contamination, higher_is_better=True)
    flags = detector.fit_predict(weights, **both) == -1
    assert flags.sum() == 50 * contamination
    scores = detector.leakage_score_
    assert scores[flags].min() > scores[~flags].max()


def test_threshold_flags_higher_scores():
    weights, _ = _problem()
    detector = LeakageDetector(higher_is_better=True).fit(weights)
    flags = detector.leakage_score_ > 0.5
    assert_array_equal(detector.predict(weights), np.where(flags, -1, 1))
    threshold = np.sort(detector.leakage_score_)[-4]
    detector = LeakageDetector(threshold=threshold, higher_is_better=True)
    assert (detector.fit_predict(weights) == -1).sum() == 3


def test_outlier_convention():
    weights, both = _problem()
    detector = LeakageDetector(contamination=0.2, higher_is_better=True)
    labels = detector.fit_predict(weights, **both)
    new = {"target_representation": both["target_representation"]}
    assert is_outlier_detector(detector)
    assert_array_equal(detector.predict(weights, **new), labels)
    decision = detector.decision_function(weights, **new)
    assert_array_equal(decision < 0, labels == -1)
    assert_allclose(decision, detector.score_samples(weights, **new) - detector.offset_)


def test_candidates_bear_the_ids_of_the_training_set():
    weights, _ = _problem()
    names = np.array([f"row {i}" for i in range(20)])
    train = Examples(np.zeros((20, 1)), np.zeros(20), ids=names)
    detector = LeakageDetector(n_candidates=20, higher_is_better=True, train=train)
    detector.fit(weights)
    there = detector.candidates_ >= 0
    assert_array_equal(
        detector.candidate_ids_[there], names[detector.candidates_[there]]
    )
    assert not there.all()
    assert set(detector.candidate_ids_[~there]) == {None}
    again = clone(detector).fit(weights).set_params(train=None).fit(weights[:, :9])
    assert not hasattr(again, "candidate_ids_")  # those of the first fit
    with pytest.raises(ValueError, match="train has 15 examples, but the attribution"):
        clone(detector).set_params(train=train[:15]).fit(weights)


def test_both_kinds_together_beat_either():
    """Half of the leaks can be seen by weights alone, half by closeness alone."""
    rng = np.random.default_rng(0)
    n_targets, n_train = 200, 100
    weights = np.abs(rng.normal(size=(n_targets, n_train)))
    train = rng.normal(size=(n_train, 20))
    targets = rng.normal(size=(n_targets, 20))
    leaks = np.arange(n_targets) < 40
    source = rng.integers(n_train, size=n_targets)
    weights[np.arange(20), source[:20]] += 8
    targets[20:40] = train[source[20:40]] + 0.1 * rng.normal(size=(20, 20))
    both = {"train_representation": train, "target_representation": targets}

    def precision(weights, **representations):
        detector = LeakageDetector(higher_is_better=True).fit(
            weights, **representations
        )
        return average_precision_score(leaks, detector.leakage_score_), detector

    together, detector = precision(weights, **both)
    assert together > 0.9
    assert together > precision(weights)[0] + 0.2
    assert together > precision(0 * weights, **both)[0] + 0.2
    assert (detector.candidates_[:40, 0] == source[:40]).mean() > 0.9
    assert (detector.spoke_[:20] == "weights").mean() > 0.8
    assert (detector.spoke_[20:40] == "representation").mean() > 0.8


# Judges


def test_judged_by_distance():
    weights = np.array([[3.0, 2.0, 1.0], [0.0, 1.0, 0.0]])
    detector = LeakageDetector(n_candidates=3, higher_is_better=True).fit(weights)
    places = np.array([[0.0, 0.0], [0.0, 0.5], [0.0, 5.0]])
    same = detector.judge_by_distance(
        train=places, targets=np.zeros((2, 2)), threshold=100.0
    )
    assert_array_equal(same, [[1, 1, 0], [1, np.nan, np.nan]])
    pixels = detector.judge_by_distance(
        train=places, targets=np.zeros((2, 2)), threshold=0, metric="euclidean"
    )
    assert_array_equal(pixels, [[1, 0, 0], [0, np.nan, np.nan]])

    def largest(a, b):
        return np.abs(a[:, None] - b).max(axis=2)

    near = detector.judge_by_distance(
        train=places, targets=np.zeros((2, 2)), threshold=0.5, metric=largest
    )
    assert_array_equal(near, same)
    listed = detector.judge_by_distance(
        train=places.tolist(), targets=[[0.0, 0.0]] * 2, threshold=100.0
    )
    assert_array_equal(listed, same)
    with pytest.raises(ValueError, match=r"3 rows and targets 2, .*; got 4 and 2\.$"):
        detector.judge_by_distance(
            train=np.zeros((4, 2)), targets=np.zeros((2, 2)), threshold=100.0
        )
    with pytest.raises(ValueError, match=r"got 2 and 3\. They look swapped"):
        detector.judge_by_distance(
            train=np.zeros((2, 2)), targets=places, threshold=100.0
        )


def test_judged_by_people(tmp_path):
    train = Examples(np.arange(6.0).reshape(3, 2), [0, 1, 0])
    targets = Examples(np.zeros((2, 2)), [0, 1])
    weights = np.array([[0.0, 2.0, 1.0], [1.0, 0.0, 0.0]])
    detector = LeakageDetector(
        n_candidates=2, threshold=0.9, higher_is_better=True
    ).fit(weights)
    detector.write_page(tmp_path / "page.html", train, targets)
    page = (tmp_path / "page.html").read_text("utf-8")
    # the surest first
    assert page.index('"target":1') < page.index('"target":0')
    detector.write_page(tmp_path / "flagged.html", train, targets, flagged_only=True)
    assert '"target": 0' not in (tmp_path / "flagged.html").read_text("utf-8")
    answers = tmp_path / "answers.csv"
    answers.write_text(
        "fingerprint,annotator,target,train,same\n"
        f"{data_fingerprint(train, targets)},Ann,0,2,1\n"
    )
    share = detector.judge_by_people(answers, train, targets)
    assert_array_equal(share, [[np.nan, 1], [np.nan, np.nan]])
    assert_array_equal(
        read_annotations(answers, detector.candidates_, train, targets), share
    )


# Bad input

WEIGHTS, BOTH = _problem()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_representation": None}, "give both"),
        ({"target_representation": None}, "give both"),
        ({"train_representation": np.zeros((19, 3))}, "must have 20 rows"),
        ({"target_representation": np.zeros((19, 3))}, "must have 15 rows"),
        (
            {
                "train_representation": BOTH["target_representation"],
                "target_representation": BOTH["train_representation"],
            },
            "must have 20 rows.*They look swapped",
        ),
        ({"target_representation": np.zeros((15, 4))}, "has 3 dimensions"),
        ({"train_representation": np.full((20, 3), np.nan)}, "NaN"),
        ({"X": np.where(WEIGHTS == 0, np.nan, WEIGHTS)}, "NaN"),
        ({"X": WEIGHTS[0]}, "Expected 2D array"),
    ],
)
def test_bad_fit(change, message):
    with pytest.raises(ValueError, match=message):
        LeakageDetector(higher_is_better=True).fit(**({"X": WEIGHTS} | BOTH | change))


def test_bad_parameters_and_predict():
    with pytest.raises(ValueError, match="give one of them"):
        LeakageDetector(threshold=0.3, contamination=0.1, higher_is_better=True).fit(
            WEIGHTS
        )
    detector = LeakageDetector(higher_is_better=True).fit(WEIGHTS, **BOTH)
    with pytest.raises(ValueError, match="if and only if"):
        detector.predict(WEIGHTS)
    with pytest.raises(ValueError, match="expecting 20 features"):
        clone(detector).fit(WEIGHTS).predict(WEIGHTS[:, :-1])
