"""Selection of lam: the grid, the held-out error and the walk against definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from skdatamodels import PackedMasks
from skdatamodels.masks import _packed
from skdatamodels.regression._selection import (
    MOST_JUDGES,
    choose_lam,
    choose_strength,
    judges,
    judging_groups,
    lam_grid,
    squared_errors,
    walk_down,
)
from skdatamodels.regression._target_groups import Group

RNG = np.random.default_rng(0)
X, Y = RNG.random((50, 7)) < 0.5, RNG.standard_normal((50, 3)) + 4


@pytest.mark.parametrize("factors", [np.ones((1, 7)), RNG.uniform(0.5, 2, (3, 7))])
def test_the_first_lam_of_the_grid_is_the_least_that_leaves_nothing(factors):
    cov = (Y - Y.mean(axis=0)).T @ (X - X.mean(axis=0)) / 50
    lams = lam_grid(cov, factors, 6, 0.01)
    assert lams.shape == (3, 6)
    np.testing.assert_allclose(lams[:, -1], 0.01 * lams[:, 0])
    np.testing.assert_allclose(lams[:, 1:] / lams[:, :-1], 0.01**0.2)
    for j, p in enumerate(np.broadcast_to(factors, (3, 7))):
        centred = (X - X.mean(axis=0)) / p  # weights w·p have the plain penalty
        above, below = (
            Lasso(factor * lams[j, 0], tol=1e-12).fit(centred, Y[:, j])
            for factor in (1 + 1e-9, 0.99)
        )
        assert not above.coef_.any()
        assert below.coef_.any()


@pytest.mark.parametrize("form", [PackedMasks.from_dense, lambda X: X.astype(float)])
@pytest.mark.parametrize("block_bytes", [100, 2**20])
@pytest.mark.parametrize("weight", [None, np.random.default_rng(1).random(50)])
def test_squared_errors(monkeypatch, form, block_bytes, weight):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(2)
    coefs, intercepts = rng.standard_normal((3, 4, 7)), rng.standard_normal((3, 4))
    outputs = Y.copy()
    outputs[5:9, 1] = np.nan
    sums = squared_errors(form(X), outputs, weight, coefs, intercepts)
    for j in range(3):
        for k in range(4):
            residual = outputs[:, j] - X @ coefs[j, k] - intercepts[j, k]
            powers = np.stack([residual**2, residual**4], axis=1)
            powers *= 1 if weight is None else weight[:, None]
            np.testing.assert_allclose(sums[j, k], np.nansum(powers, axis=0))


curves = st.lists(
    st.lists(st.floats(0, 1), min_size=12, max_size=12), min_size=1, max_size=5
)


@given(curves, st.sampled_from([None, 1, 2, 5, 20]))
def test_the_walk_ends_only_when_the_error_has_turned(curves, patience):
    curves = np.array(curves)
    lams = np.broadcast_to(np.geomspace(1, 0.1, 12), curves.shape)
    seen = []

    def advance(targets, lams, start):
        k = np.searchsorted(-np.geomspace(1, 0.1, 12), -lams - 1e-9)
        if start is not None:  # it goes on where it stopped
            np.testing.assert_array_equal(start[:, 1], k[:, 0] - 1)
        seen.append(len(targets))
        coefs = np.stack([np.broadcast_to(targets[:, None], k.shape), k], axis=2)
        errors = curves[targets[:, None], k]
        return coefs, 1e-5 * k, np.stack([errors, 2 * errors], axis=2)

    sums, best, gap = walk_down(advance, lams, patience, 1e-4)
    for j, curve in enumerate(curves):
        followed = np.isfinite(sums[j, :, 0])
        n = followed.sum()
        assert followed[:n].all()
        np.testing.assert_array_equal(sums[j, :n, 0], curve[:n])
        np.testing.assert_array_equal(sums[j, :n, 1], 2 * curve[:n])
        assert tuple(best[j]) == (j, curve[:n].argmin())
        assert gap[j] == 1e-5 * (n - 1)
        if n < 11:  # from the eleventh lam on the gap is too large
            assert n - 1 - curve[:n].argmin() >= patience
    assert seen == sorted(seen, reverse=True)


def test_least_error_and_one_standard_error():
    residuals = np.random.default_rng(0).standard_normal((40, 2, 5)) * [
        3,
        1.3,
        1.05,
        1,
        1.2,
    ]
    sums = np.stack([(residuals**p).sum(axis=0) for p in (2, 4)], axis=2)
    sums[0, 4] = np.nan
    error, least = choose_lam(sums, 40, one_standard_error=False)
    nearly = choose_lam(sums, 40, one_standard_error=True)[1]
    for j in range(2):
        squares = residuals[:, j] ** 2
        np.testing.assert_allclose(error[j, :4], squares.mean(axis=0)[:4])
        assert least[j] == squares.mean(axis=0)[:4].argmin()
        best = squares[:, least[j]]
        bound = best.mean() + best.std() / np.sqrt(40)
        assert nearly[j] == np.flatnonzero(squares.mean(axis=0) <= bound)[0]
    assert (nearly < least).any()


def test_strength_of_least_error_over_all_targets():
    scale = np.array([1, 10, 100, 0.1])[:, None]
    sums = RNG.uniform(1, 2, (3, 4, 5, 2))
    sums[..., 0] *= scale
    sums[:, :, 0, 0] = scale[:, 0]  # no weights
    sums[0, :, 2, 0] = 0.9 * scale[:, 0]
    sums[1, :, 2, 0] = [0.3, 9.5, 95, 0.095]  # much better for one target
    sums[2, :, 3, 0] = [0.5, 5.5, 60, 0.06]
    sums[1, 0, 4, 0] = np.nan
    assert choose_strength(sums) == 2
    assert choose_strength(sums[:, :1]) == 1


def test_a_prior_that_does_not_clearly_help_is_left_out():
    sums = np.ones((2, 10, 1, 2))
    gains = np.array([3, -2, 3, -2, 3, -2, 3, -2, 3, -2]) / 10
    sums[1, :, 0, 0] = 1 - gains  # .05 ± .083 on average
    assert choose_strength(sums) == 0
    sums[1, :, 0, 0] = 1 - gains - 0.2
    assert choose_strength(sums) == 1


def test_judges_are_evenly_spaced():
    np.testing.assert_array_equal(judges(np.arange(5) + 3), np.arange(5) + 3)
    np.testing.assert_array_equal(judges(np.arange(MOST_JUDGES * 3))[:3], [0, 3, 6])
    for n in (MOST_JUDGES, MOST_JUDGES + 1, 1000):
        steps = np.diff(judges(np.arange(n)))
        assert len(steps) == MOST_JUDGES - 1
        assert steps.max() - steps.min() <= 1


def test_judging_groups_hold_the_judges_and_keep_runs_and_folds():
    n = 3 * MOST_JUDGES
    parts = np.arange(n) % 3 == 0, np.arange(n) % 3 == 1, np.arange(n) % 3 == 2
    groups = [Group(k, np.flatnonzero(part), [k]) for k, part in enumerate(parts)]
    (only,) = judging_groups(groups)  # every third target judges
    assert only.rows == 0
    assert only.folds == [0]
    np.testing.assert_array_equal(only.targets, np.arange(0, n, 3))
