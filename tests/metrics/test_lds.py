import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import rankdata, spearmanr

from skdatamodels.metrics import _lds, lds_interval, linear_datamodeling_score
from skdatamodels.metrics._lds import bootstrap_scores


def _outputs(rng, n_runs=40, n_targets=6, decimals=1):
    """Correlated truth and prediction; rounding makes ties."""
    y_true = rng.normal(size=(n_runs, n_targets))
    y_pred = y_true * np.linspace(-1, 2, n_targets) + rng.normal(size=y_true.shape)
    return y_true.round(decimals), y_pred.round(decimals)


def _spearman(y_true, y_pred):
    columns = zip(y_true.T, y_pred.T, strict=True)
    return np.array([spearmanr(t, p).statistic for t, p in columns])


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_equals_scipy_column_by_column(decimals):
    y_true, y_pred = _outputs(np.random.default_rng(decimals), decimals=decimals)
    expected = _spearman(y_true, y_pred)
    raw = linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    assert_allclose(raw, expected, atol=1e-12)
    assert_allclose(linear_datamodeling_score(y_true, y_pred), expected.mean())


def test_blocks_of_targets_change_nothing(monkeypatch):
    y_true, y_pred = _outputs(np.random.default_rng(0))
    whole = linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    interval = lds_interval(y_true, y_pred, n_bootstraps=20, random_state=0)
    monkeypatch.setattr(_lds, "_BLOCK_ENTRIES", 80)  # two targets a block
    blocks = linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    assert_allclose(blocks, whole, rtol=0)
    assert_allclose(
        lds_interval(y_true, y_pred, n_bootstraps=20, random_state=0), interval
    )


def test_one_target_may_be_one_dimensional():
    y_true, y_pred = _outputs(np.random.default_rng(0), n_targets=1)
    expected = spearmanr(y_true[:, 0], y_pred[:, 0]).statistic
    for t in (y_true, y_true[:, 0]):
        for p in (y_pred, y_pred[:, 0]):
            assert linear_datamodeling_score(t, p) == pytest.approx(expected)


def test_constant_prediction_scores_zero_and_constant_truth_has_no_score():
    y_true, y_pred = _outputs(np.random.default_rng(0))
    y_pred[:, 1] = 3.0
    y_true[:, 2] = -1.0
    y_true[:, 3] = y_pred[:, 3] = 0.0
    expected = _spearman(y_true[:, [0, 4, 5]], y_pred[:, [0, 4, 5]])
    raw = linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    assert_allclose(raw[[0, 4, 5]], expected)
    assert raw[1] == 0
    assert np.isnan(raw[[2, 3]]).all()
    # Three targets and the zero count; the two without a score do not.
    mean = linear_datamodeling_score(y_true, y_pred)
    assert mean == pytest.approx(expected.sum() / 4)
    interval = lds_interval(y_true, y_pred, random_state=0)
    assert interval.score == pytest.approx(mean)
    assert interval.low < mean < interval.high


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_depends_on_order_only(seed, falls):
    y_true, y_pred = _outputs(np.random.default_rng(seed), n_runs=12)
    score = linear_datamodeling_score(y_true, y_pred)
    sign = -1 if falls else 1
    assert linear_datamodeling_score(np.exp(y_true), sign * y_pred**3) == pytest.approx(
        sign * score
    )
    runs = np.random.default_rng(seed).permutation(12)
    assert linear_datamodeling_score(y_true[runs], y_pred[runs]) == pytest.approx(score)


def _with(value, where):
    y = np.arange(12.0).reshape(4, 3)
    y[where] = value
    return y


@pytest.mark.parametrize("score", [linear_datamodeling_score, lds_interval])
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (np.ones((4, 3)), np.ones((4, 2)), r"got \(4, 3\) and \(4, 2\)"),
        (np.ones((4, 3)), np.ones(4), r"got \(4, 3\) and \(4, 1\)"),
        (np.ones((4, 3, 1)), np.ones((4, 3, 1)), "must both have shape"),
        (np.ones((2, 3)), np.ones((2, 3)), "at least three runs; got 2"),
        (_with(-np.inf, (2, 1)), _with(0, 0), "y_true is -inf at run 2, target 1"),
        (_with(0, 0), _with(np.inf, (3, 0)), "y_pred is inf at run 3, target 0"),
        (np.ones((4, 3)), _with(0, 0), "No target has a score"),
    ],
)
def test_bad_input(score, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        score(y_true, y_pred)


def test_bad_multioutput():
    with pytest.raises(ValueError, match="multioutput"):
        linear_datamodeling_score(np.eye(3), np.eye(3), multioutput="median")


def test_interval_is_deterministic_and_holds_the_score():
    y_true, y_pred = _outputs(np.random.default_rng(0))
    first = lds_interval(y_true, y_pred, random_state=3)
    assert first == lds_interval(y_true, y_pred, random_state=3)
    assert first != lds_interval(y_true, y_pred, random_state=4)
    assert first.score == linear_datamodeling_score(y_true, y_pred)
    assert first.low < first.score < first.high
    narrower = lds_interval(y_true, y_pred, confidence=0.5, random_state=3)
    assert first.low < narrower.low < narrower.high < first.high


def test_draws_equal_resampled_rows_and_columns():
    """Each draw is the mean Pearson correlation of the resampled ranks."""
    y_true, y_pred = _outputs(np.random.default_rng(1), n_runs=15, n_targets=4)
    draws = _lds.bootstrap_scores(y_true, y_pred, 10, np.random.RandomState(0))
    rng = np.random.RandomState(0)  # draws runs first, then targets
    run_counts = rng.multinomial(15, np.full(15, 1 / 15), 10)
    target_counts = rng.multinomial(4, np.full(4, 1 / 4), 10)
    ranks_true, ranks_pred = _lds.centred_ranks(y_true), _lds.centred_ranks(y_pred)
    for draw, runs, targets in zip(draws, run_counts, target_counts, strict=True):
        rows = np.repeat(np.arange(15), runs)
        scores = [
            np.corrcoef(ranks_true[rows, j], ranks_pred[rows, j])[0, 1]
            for j in np.repeat(np.arange(4), targets)
        ]
        assert draw == pytest.approx(np.mean(scores))


def _population(rng, n_runs, n_targets):
    """Targets of differing correlation whose runs share a common factor."""
    rho = rng.uniform(0.3, 0.9, n_targets)
    common = rng.normal(size=(2, n_runs, 1))
    own = rng.normal(size=(2, n_runs, n_targets))
    y_true, noise = np.sqrt(0.5) * common + np.sqrt(0.5) * own
    return y_true, rho * y_true + np.sqrt(1 - rho**2) * noise


def test_interval_covers_at_about_its_rate():
    rho = np.linspace(0.3, 0.9, 10_001)
    truth = np.mean(6 / np.pi * np.arcsin(rho / 2))  # Spearman of a normal pair
    rng = np.random.default_rng(0)
    intervals = [
        lds_interval(
            *_population(rng, 60, 30), confidence=0.9, n_bootstraps=200, random_state=i
        )
        for i in range(60)
    ]
    covered = np.mean([low <= truth <= high for _, low, high in intervals])
    assert covered >= 0.8
    # An interval too wide covers always and says nothing.
    scores = np.array([interval.score for interval in intervals])
    width = np.mean([high - low for _, low, high in intervals])
    assert width < 1.5 * 2 * 1.645 * scores.std()


def test_interval_narrows_by_the_root_of_the_number_of_runs():
    rng = np.random.default_rng(0)
    widths = []
    for n_runs in (50, 200, 800):
        y_true = rng.normal(size=(n_runs, 1)) + np.zeros(50)
        y_pred = y_true + rng.normal(size=(n_runs, 1))
        _, low, high = lds_interval(y_true, y_pred, random_state=0)
        widths.append(high - low)
    ratios = np.array(widths[:-1]) / widths[1:]
    assert_allclose(ratios, 2, rtol=0.25)


def test_interval_of_three_runs_survives_degenerate_draws():
    y_true = np.array([1.0, 2.0, 3.0])
    score, low, high = lds_interval(y_true, y_true, random_state=0)
    assert (score, high) == (1.0, 1.0)
    assert np.isfinite(low)


def test_runs_without_output_are_left_out_for_that_target():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=(40, 4))
    y_pred = y_true + rng.normal(size=(40, 4))
    y_true[rng.random((40, 4)) < 0.3] = np.nan
    y_true[:, 3] = np.nan
    expected = []
    for true, pred in zip(y_true.T[:3], y_pred.T[:3], strict=True):
        known = ~np.isnan(true)
        expected.append(spearmanr(true[known], pred[known]).statistic)
    raw = linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    np.testing.assert_allclose(raw, [*expected, np.nan])
    assert linear_datamodeling_score(y_true, y_pred) == pytest.approx(np.mean(expected))
    score, low, high = lds_interval(y_true, y_pred, random_state=0)
    assert low < score < high


def test_a_bootstrap_draw_knows_only_the_runs_with_output():
    rng = np.random.default_rng(1)
    y_true = rng.normal(size=(30, 1))
    y_pred = y_true + rng.normal(size=(30, 1))
    y_true[:10] = np.nan
    draws = bootstrap_scores(y_true, y_pred, 5, np.random.RandomState(0))
    counts = np.random.RandomState(0).multinomial(30, np.full(30, 1 / 30), 5)[:, 10:]
    ranks = [rankdata(y[10:, 0]) for y in (y_true, y_pred)]
    expected = [np.corrcoef(*(np.repeat(r, n) for r in ranks))[0, 1] for n in counts]
    np.testing.assert_allclose(draws, expected)
