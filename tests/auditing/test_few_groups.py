"""Few groups are left out one at a time, as a plain loop of fits does."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, root_mean_squared_error

from skdatamodels import Examples, SubsetTrainer, audit
from skdatamodels.auditing import _few_groups
from skdatamodels.auditing._few_groups import (
    _Contrast,
    _intervals,
    draw_held_out,
    leave_out_each,
    make_few_trainer,
    why_not_left_out,
)
from skdatamodels.inference import WeightInference
from skdatamodels.runs import RunStore

pd = pytest.importorskip("pandas")

QUIET = {"verbose": 0, "n_jobs": 1, "n_runs": 50}
REGIONS = np.array(["east", "north", "south", "west"])


def table(task, n=240, seed=0):
    """Return columns, labels or values, and regions; those of "west" are wrong."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    y = X["a"] + X["b"] + 0.5 * rng.normal(size=n)
    region = REGIONS[rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])]
    if task == "classification":
        y = y > 0
    return X, y, region


def spoilt(y, region):
    """Return the labels or values of a training set in which "west" is wrong."""
    if y.dtype != bool:
        return y.where(region != "west", 4 - y)
    return (y ^ (region == "west")).map({True: "yes", False: "no"})


def judged_of(task, truth):
    return SimpleNamespace(
        task=task,
        truth=np.asarray(truth),
        judges=np.ones(len(truth), bool),
        targets=np.arange(len(truth)),
    )


@pytest.fixture(scope="module")
def found():
    X, y, region = table("classification")
    X_test, y_test, _ = table("classification", seed=1)
    y_test = spoilt(y_test, np.full(len(y_test), "east"))
    model = LogisticRegression()
    return audit(model, X, spoilt(y, region), X_test, y_test, groups=region, **QUIET)


def test_margins_and_accuracies_are_those_of_a_loop(found):
    X, y, region = table("classification")
    X_test, y_test, _ = table("classification", seed=1)
    y, y_test = spoilt(y, region), spoilt(y_test, np.full(len(y_test), "east"))

    def scores(rows):
        model = LogisticRegression().fit(X[rows], y[rows])
        margin = model.decision_function(X_test) * np.where(y_test == "yes", 1, -1)
        mean = np.mean([margin[y_test == label].mean() for label in ("yes", "no")])
        return mean, accuracy_score(y_test, model.predict(X_test))

    with_all = scores(region != "")
    frame = found.groups
    assert frame.index[0] == "west"
    for name in REGIONS:
        without = scores(region != name)
        row = frame.loc[name]
        assert row["effect"] == pytest.approx(with_all[0] - without[0], abs=1e-3)
        assert row["accuracy"] == pytest.approx(with_all[1])
        assert row["accuracy_without"] == pytest.approx(without[1], abs=0.005)
    assert frame["distinguishable"]["west"]
    assert frame["n_rows"].tolist() == [(region == name).sum() for name in frame.index]


def test_summary_page_and_frames_speak_of_models_without_a_group(found, tmp_path):
    groups, text = found.group_audit, " ".join(repr(found).split())
    assert re.search(r"groups +1 of 4 harmful: west", repr(found))
    before, after = found.groups.loc["west", ["accuracy", "accuracy_without"]]
    effect, low, high = -found.groups.loc["west", ["effect", "low", "high"]]
    said = (
        f"Without west, accuracy goes from {before:.3f} to {after:.3f}, and the mean "
    )
    said += f"margin rises by {effect:.2f} ({high:.2f} to {low:.2f})."
    assert said in text
    assert said in " ".join(repr(groups).split())
    assert "Without east" not in text
    for ask in (groups.removal_in_words, lambda: groups.removed(1)):
        with pytest.raises(ValueError, match="4 groups were left out one at a time"):
            ask()
    many = replace(groups, scores=None)
    with pytest.raises(ValueError, match="4 groups were not left out one at a time"):
        many.left_out_in_words()
    assert "groups_removal_check" not in found.frames()
    assert found.frames()["groups"].columns[-1] == "accuracy_without"
    found.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    sections = {section["title"]: section for section in data["sections"]}
    assert "Group removal check" not in sections
    assert said in json.dumps(sections["Groups"])
    assert "models trained without the group" in json.dumps(sections["Groups"])
    assert "LDS" not in json.dumps(sections["Groups"])


def test_errors_of_values_are_those_of_a_loop():
    X, y, region = table("regression")
    X_test, y_test, _ = table("regression", seed=1)
    y = spoilt(y, region)
    found = audit(Ridge(), X, y, X_test, y_test, groups=region, **QUIET)

    def rmse(rows):
        predicted = Ridge().fit(X[rows], y[rows]).predict(X_test)
        return root_mean_squared_error(y_test, predicted)

    frame, all_rows = found.groups, rmse(region != "")
    without = np.array([rmse(region != name) for name in frame.index])
    np.testing.assert_allclose(frame["rmse"], all_rows, rtol=1e-4)
    np.testing.assert_allclose(frame["rmse_without"], without, rtol=1e-4)
    np.testing.assert_allclose(frame["effect"], without - all_rows, atol=1e-4)
    assert "Without west, root mean squared error goes from" in repr(found)


def test_own_rows_do_not_judge_a_group():
    X, y, region = table("classification")
    X, labels = X.to_numpy(), spoilt(y, region).to_numpy()
    of_row = np.searchsorted(REGIONS, region)
    train, rows = Examples(X, labels), np.arange(len(X))
    trainer = SubsetTrainer(
        LogisticRegression(), train, Examples(X, labels, rows), random_state=0
    )
    few, judged = make_few_trainer(trainer, rows), judged_of("classification", labels)
    found = leave_out_each(few, of_row, judged, rows, 1, seed=3)
    codes = np.unique(labels, return_inverse=True)[1]
    margins = np.full((2, 2, 4, len(X)), np.nan)  # with and without, splits, groups
    for split, folds in enumerate(draw_held_out(codes * 4 + of_row, 1, 3)):
        for fold in folds:
            for group in range(4):
                for which, kept in enumerate((~fold, ~fold & (of_row != group))):
                    model = LogisticRegression().fit(X[kept], labels[kept])
                    sign = np.where(labels[fold] == "yes", 1, -1)
                    margin = model.decision_function(X[fold]) * sign
                    margins[which, split, group, fold] = margin
    for group in range(4):
        others = of_row != group
        change = (margins[0] - margins[1])[:, group].mean(axis=0)
        by_class = [change[others & (codes == k)].mean() for k in range(2)]
        assert found.effect[group] == pytest.approx(np.mean(by_class), abs=1e-3)
        right = (margins[:, :, group][..., others] > 0).mean(axis=(1, 2))
        shown = [found.scores[name][group] for name in ("accuracy", "accuracy_without")]
        np.testing.assert_allclose(shown, right, atol=0.005)


def test_folds_have_their_share_of_each_stratum():
    strata = np.repeat([0, 1, 2], [50, 7, 23])
    held_out = draw_held_out(strata, 9, seed=0)
    assert (held_out.sum(axis=1) == 1).all()
    assert not np.array_equal(*held_out)
    for k, n in enumerate([50, 7, 23]):
        counts = held_out[..., strata == k].sum(axis=-1)
        assert counts.min() >= n // 5
        assert counts.max() <= n // 5 + 1
    assert draw_held_out(80, 9, seed=0).shape == (9, 1, 80)
    assert not draw_held_out(80, 9, seed=0).any()


@pytest.mark.parametrize(("model", "n"), [(RandomForestRegressor(5), 5), (Ridge(), 1)])
def test_random_training_is_repeated(monkeypatch, model, n):
    X, y, region = table("regression", n=100)
    X_test, y_test, _ = table("regression", n=40, seed=1)
    seen = []
    monkeypatch.setattr(
        _few_groups,
        "draw_held_out",
        lambda *args: seen.append(args[1]) or draw_held_out(*args),
    )
    parts, least = (X, y, X_test, y_test), {"min_lds": 1.0}
    found = audit(model, *parts, groups=region, **least, **QUIET)
    assert seen == [n]
    assert not found.trust.enough  # which these effects do not need
    assert np.isfinite(found.frames()["groups"]["low"]).all()


def test_a_group_with_all_rows_of_a_class_is_unknown(tmp_path):
    X, y, region = table("classification")
    X_test, y_test, _ = table("classification", seed=1)
    labels = y.map({True: "yes", False: "no"})
    labels[region == "south"] = "rare"
    labels.iloc[np.flatnonzero(region == "north")[0]] = "rare"
    assert (
        why_not_left_out(
            labels.to_numpy(),
            np.searchsorted(REGIONS, region),
            np.zeros((1, 1, len(y)), bool),
            "classification",
        )
        == {}
    )
    labels[(region == "north") & (labels == "rare")] = "yes"
    parts = X, labels, X_test, y_test.map({True: "yes", False: "no"})
    found = audit(LogisticRegression(), *parts, groups=region, **QUIET)
    why = "All rows of class 'rare' are in it, so it cannot be left out."
    assert found.group_audit.unknown == {"south": why}
    assert re.search(r"groups .* of 4 .*; 1 unknown", repr(found))
    assert f"south: unknown. {why}" in " ".join(repr(found).split())
    frame = found.groups
    assert frame.index[-1] == "south"
    assert frame.loc["south", ["effect", "low", "accuracy"]].isna().all()
    assert not frame["distinguishable"]["south"]
    assert frame.drop("south").notna().all(axis=None)
    found.to_html(tmp_path / "page.html")


def test_a_class_or_rows_that_folds_lose():
    of_row, fold = np.array([0] * 9 + [1]), np.zeros((1, 2, 10), bool)
    fold[0, 0, 9] = fold[0, 1, 0] = True
    values, labels = np.arange(10.0), np.array(list("aaaaabbbbb"))
    assert why_not_left_out(values, of_row, fold, "regression") == {
        0: "All rows but 1 are in it, so it cannot be left out."
    }
    found = why_not_left_out(labels, of_row, fold, "classification")
    assert found == {0: "All rows of class 'a' are in it, so it cannot be left out."}


def test_a_group_whose_training_fails_is_unknown():
    X, y, region = table("regression", n=60)
    X, of_row = X.to_numpy(), np.searchsorted(REGIONS, region)

    class Fails(Ridge):
        def fit(self, X, y, sample_weight=None):
            if len(X) == (of_row != 2).sum():
                raise RuntimeError("no")
            return super().fit(X, y)

    train = Examples(X, y.to_numpy())
    trainer = SubsetTrainer(Fails(), train, Examples(X, y.to_numpy()), random_state=0)
    few, judged = make_few_trainer(trainer, range(60)), judged_of("regression", y)
    with pytest.warns(RuntimeWarning, match="2 of 10 runs failed"):
        found = leave_out_each(few, of_row, judged, np.full(60, -1), 2, 0)
    assert found.unknown == {2: "Training without it failed."}
    assert np.isnan(found.effect).tolist() == [False, False, True, False]


def test_rounding_is_no_effect():
    X, y, region = table("classification", n=160)
    X, y = X.to_numpy(), y.to_numpy()
    of_row = np.searchsorted(REGIONS, region)[:100]
    train, test = Examples(X[:100], y[:100]), Examples(X[100:], y[100:])
    constant = DummyClassifier()  # the mean margin of two classes is 0
    trainer = SubsetTrainer(constant, train, test, random_state=0)
    few = make_few_trainer(trainer, range(60))
    judged = judged_of("classification", test.y)
    found = leave_out_each(few, of_row, judged, np.full(60, -1), 1, 0)
    assert (found.effect == 0).all()
    assert (found.interval.prod(axis=1) == 0).all()


def test_groups_that_can_all_not_be_left_out_do_not_end_the_audit():
    X, y, _ = table("classification")
    X_test, y_test, _ = table("classification", seed=1)
    with pytest.warns(UserWarning, match="False: All rows of class False are in it"):
        found = audit(LogisticRegression(), X, y, X_test, y_test, groups=y, **QUIET)
    assert found.group_audit is None


@pytest.mark.parametrize("judges_itself", [False, True])
def test_a_store_has_the_models_and_the_cost_says_so(tmp_path, capsys, judges_itself):
    X, y, region = table("regression", n=100)
    parts = (X, y) if judges_itself else (X[:70], y[:70], X[70:], y[70:])
    options = QUIET | {"verbose": 1, "store": tmp_path}
    model, told = RandomForestRegressor(5), []
    for _ in range(2):
        found = audit(model, *parts, groups=region[: len(parts[0])], **options)
        told.append(capsys.readouterr().err)
    n = 50 if judges_itself else 25
    assert "auditing groups" in told[0]
    assert f"| {n}/{n} " in told[0]
    assert "%|" not in told[1]
    n_stored = sum(int(RunStore(path).done().sum()) for path in tmp_path.iterdir())
    assert f" {n_stored} of them are in {tmp_path}. About " in told[1]
    assert np.isfinite(found.groups["effect"]).all()


def test_variance_of_a_contrast_is_that_of_its_two_parts():
    """Over draws of judged rows and of seeds, which both move all outputs."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [60, 30, 10])
    found = []
    for _ in range(1000):
        by_row = np.array([0.0, 1.0, 3.0])[truth] + rng.normal(size=100)
        noise = 0.5 * rng.normal(size=(4, 2, 100)) + 0.3 * rng.normal(size=(4, 2, 1))
        outputs = noise + np.stack([by_row, np.zeros(100)])
        found.append(_Contrast.of("classification", outputs, truth)[:3])
    effect, variance, noise = np.transpose(found)
    assert effect.mean() == pytest.approx(4 / 3, abs=0.03)
    assert variance.mean() + noise.mean() == pytest.approx(effect.var(), rel=0.15)
    assert noise.mean() == pytest.approx(2 * 0.3**2 / 4, rel=0.1)


def test_variance_of_a_root_mean_squared_error_is_that_of_a_bootstrap():
    rng = np.random.default_rng(1)
    errors = np.stack([rng.normal(size=200), 2 + rng.normal(size=200)])[None]
    one = _Contrast.of("regression", errors, np.zeros(200))

    def effect(rows):
        first, second = np.sqrt((errors[0][:, rows] ** 2).mean(axis=1))
        return second - first

    draws = [effect(rng.integers(0, 200, 200)) for _ in range(2000)]
    assert one.effect == pytest.approx(effect(slice(None)))
    assert one.variance == pytest.approx(np.var(draws), rel=0.15)


def test_intervals_are_those_of_an_inference():
    effect = np.array([-3.0, -2.0, -0.4, 0.3, 1.5, 2.5])
    frame = WeightInference(
        effect[None], np.ones((1, 1)), np.array([12.0]), np.zeros(6, int)
    )
    sides = [
        frame.adjusted_interval(0.1, alternative=a)[0] for a in ("less", "greater")
    ]
    expected = np.where(effect[:, None] > 0, sides[1], sides[0])
    found = _intervals(effect, np.ones(6), np.full(6, 12.0))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with_unknown = _intervals(np.r_[effect, np.nan], np.ones(7), np.full(7, 12.0))
    np.testing.assert_allclose(with_unknown[:6], expected, rtol=1e-6)
    assert np.isnan(with_unknown[6]).all()


def test_intervals_of_many_tables_contain_the_effects_on_many_rows():
    inside = []
    for seed in range(40):
        X, y, region = table("regression", n=100, seed=seed)
        X_test, y_test, _ = table("regression", n=100, seed=[seed, 1])
        X_more, y_more, _ = table("regression", n=5000, seed=[seed, 2])
        of_row = np.searchsorted(REGIONS, region)
        train = Examples(X.to_numpy(), y.to_numpy())
        targets = Examples(X_test.to_numpy(), y_test.to_numpy())
        trainer = SubsetTrainer(Ridge(), train, targets, random_state=0)
        few = make_few_trainer(trainer, range(100))
        judged = judged_of("regression", targets.y)
        found = leave_out_each(few, of_row, judged, np.full(100, -1), 1, 0)
        rmse = []
        for group in (-1, *range(4)):
            model = Ridge().fit(train.X[of_row != group], train.y[of_row != group])
            predicted = model.predict(X_more.to_numpy())
            rmse.append(root_mean_squared_error(y_more, predicted))
        true = np.array(rmse[1:]) - rmse[0]
        inside.append((found.interval[:, 0] < true) & (true < found.interval[:, 1]))
    assert np.mean(inside) > 0.8
