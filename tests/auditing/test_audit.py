"""The audit finds what was planted, and keeps the user's rows."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import audit
from skdatamodels.auditing._explanation import explain
from skdatamodels.auditing._groups import GroupAudit
from skdatamodels.auditing._summary import sentences
from skdatamodels.inference import infer_weights

pd = pytest.importorskip("pandas")

MODEL = make_pipeline(StandardScaler(), LogisticRegression())
QUIET = {"verbose": 0, "n_jobs": 1, "n_runs": 60}


def cancer(n_train=200, n_test=60):
    """Return tables with names as index: 12 wrong labels in two bad labs, one leak."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :10]
    order = np.random.default_rng(0).permutation(len(X))[: n_train + n_test]
    X, y = X.iloc[order], y.iloc[order].map({0: "malignant", 1: "benign"})
    X.index = y.index = [f"patient {k}" for k in order]
    X, X_test, y, y_test = (
        X[:n_train],
        X[n_train:].copy(),
        y[:n_train].copy(),
        y[n_train:],
    )
    labs = np.repeat([f"lab {k:02}" for k in range(20)], n_train // 20)
    flipped = np.flatnonzero(np.isin(labs, ["lab 03", "lab 11"]))
    y.iloc[flipped] = np.where(y.iloc[flipped] == "benign", "malignant", "benign")
    X_test.iloc[7] = X.iloc[30]
    return X, y, X_test, y_test.copy(), labs, X.index[flipped]


@pytest.fixture(scope="module")
def planted():
    return cancer()


@pytest.fixture(scope="module")
def found(planted):
    X, y, X_test, y_test, labs, _ = planted
    return audit(MODEL, X, y, X_test, y_test, groups=labs, **QUIET)


def test_rows_must_be_missing_in_ten_runs(planted, monkeypatch):
    X, y, X_test, y_test, *_ = planted
    options = {"verbose": 0, "n_runs": 50}
    with pytest.raises(
        ValueError, match=r"missing in about 9.5 of them, but 10 models"
    ):
        audit(MODEL, X, y, X_test, y_test, alpha=0.81, **options)

    def reached(*args, **kwargs):
        raise RuntimeError("reached")

    monkeypatch.setattr("skdatamodels.auditing._audit.make_trainer", reached)
    with pytest.raises(RuntimeError, match="reached"):
        audit(MODEL, X, y, X_test, y_test, alpha=0.8, **options)


def test_planted_label_errors_come_first(found, planted):
    wrong = planted[-1]
    first = found.label_errors.index[: len(wrong)]
    assert np.isin(first, wrong).mean() > 0.7
    one = found.label_errors.loc[wrong[0]]
    assert one["suggested"] != one["target"]


def test_harmful_rows_are_planted_and_removing_them_raises_the_score(found, planted):
    wrong = planted[-1]
    assert np.isin(found.harmful.index[:10], wrong).mean() >= 0.8
    check = found.removal_check.to_frame().set_index(["removed", "size"])["output"]
    size = max(size for _, size in check.index)
    assert check["first", size] > check["random", size]


def test_bad_groups_come_first(found):
    assert set(found.groups.index[:2]) == {"lab 03", "lab 11"}
    assert (found.groups["effect"].iloc[:2] < 0).all()
    assert (found.groups["n_rows"] == 10).all()
    assert (found.groups["share"] == 0.05).all()
    assert found.group_audit.warning == ""


def test_removal_of_groups_is_in_the_summary_and_the_frames(found):
    text = " ".join(repr(found).split())
    assert re.search(r"groups +2 of 20 harmful: lab (03, lab 11|11, lab 03)", text)
    group_audit = found.group_audit
    check = group_audit.removal.to_frame().set_index(["removed", "size"])["score"]
    removed = sorted(group_audit.removed(2))
    assert removed == ["lab 03", "lab 11"]
    words = re.search(r"Without the worst (\d) groups? \((.*?)\), accuracy", text)
    assert words[1] == str(len(words[2].split(", ")))
    for printed in (text, " ".join(repr(group_audit).split())):
        assert words[0] in printed
    frame = found.frames()["groups_removal_check"].set_index(["removed", "size"])
    for size in (1, 2, 4):
        assert frame["accuracy"]["worst", size] == check["first", size]
        assert frame["accuracy"]["random", size] == check["random", size]


def unequal_groups():
    """Return tables whose first group has half of the rows, and groups of the rows.

    A third of the rows are tests. The fourth and the twelfth group are wrong by 150.
    """
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(X))
    X, y = X.iloc[order].reset_index(drop=True), y.iloc[order].reset_index(drop=True)
    of_row = np.where(np.arange(300) < 150, 0, 1 + rng.integers(0, 23, 300))
    groups = np.array([f"g{k:02}" for k in of_row])
    train = y[:300] + 150 * np.isin(of_row, [3, 11])
    return X[:300], train, X[300:], y[300:], groups


def test_effects_of_groups_agree_with_retraining_without_each():
    """A large group moves outputs so far that a squared error is not linear in it."""
    X, y, X_test, y_test, groups = unequal_groups()
    found = audit(Ridge(0.1), X, y, X_test, y_test, groups=groups, **QUIET)

    def rmse(kept):
        said = Ridge(0.1).fit(X[kept], y[kept]).predict(X_test)
        judges = found._judged.judges
        return np.sqrt(np.mean((said - y_test)[judges] ** 2))

    frame = found.groups
    names = frame.index.tolist()
    true = [rmse(groups != name) - rmse(groups != "") for name in names]
    effect = frame["effect"]
    assert pd.Series(true, names).corr(effect, method="spearman") > 0.8
    assert effect["g00"] > 0  # to first order, it would be harmful
    assert names[0] == names[np.argmin(true)] == "g03"
    harmful = frame["distinguishable"] & (effect < 0)
    assert (np.array(true)[harmful] < 0).all()
    assert 0 < harmful.sum() < len(names) / 2
    assert "g00 (50%) of the rows" in " ".join(repr(found).split())
    assert "g00 (50%) of the rows" in repr(found.group_audit)
    check = found.group_audit.removal.to_frame()
    shown = found.frames()["groups_removal_check"]
    root = shown["root_mean_squared_error"]
    np.testing.assert_allclose(root**2, check["score"])
    half = (np.sqrt(check["score"] + 1e-4 * check["error"]) - root) / 1e-4
    np.testing.assert_allclose(shown["error"], half, rtol=1e-3, atol=1e-6)


def test_planted_leak_is_found(found, planted):
    X, y, X_test, y_test, *_ = planted
    assert found.leaks.index.tolist() == [X_test.index[7]]
    assert found.leaks["train_row"].tolist() == [X.index[30]]
    assert found.leaks["n_differ"].tolist() == [int(y.iloc[30] != y_test.iloc[7])]


def test_equal_rows_are_no_leak_where_training_rows_equal_each_other(found, planted):
    assert found.shares_of_copies == {"train": 0, "test": 1 / len(planted[2])}
    assert "no sign of a leak" not in repr(found)
    X, y, X_test, y_test, *_ = planted
    coarse, coarse_test = (part.iloc[:, :2] > X.median()[:2] for part in (X, X_test))
    found = audit(MODEL, coarse * 1, y, coarse_test * 1, y_test, **QUIET)
    assert found.shares_of_copies == {"train": 1, "test": 1}
    said = " ".join(repr(found).split())
    assert (
        "100% of the test rows equal a training row, and 100% of the training" in said
    )


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [(0.5, 0.5, True), (0.5, 0, False), (0.1, 0.3, False), (0.01, 0.01, False)],
)
def test_equal_rows_are_a_sign_of_a_leak_if_training_rows_rarely_are(train, test, said):
    found = SimpleNamespace(
        trust=SimpleNamespace(message="", enough=False),
        group_audit=None,
        shares_of_copies={"train": train, "test": test},
    )
    assert ("no sign of a leak" in " ".join(sentences(found))) == said


def test_rows_and_columns_are_the_users(found, planted):
    X, y, X_test, y_test, *_ = planted
    assert set(found.rows.index) == set(X.index)
    row = found.rows.loc[X.index[4]]
    assert row["target"] == y.iloc[4]
    pd.testing.assert_series_equal(
        row[X.columns].astype(float), X.iloc[4], check_names=False
    )
    assert found.predictions.index.tolist() == X_test.index.tolist()
    assert found.predictions["target"].tolist() == y_test.tolist()


def test_right_is_the_vote_of_the_model(found, planted):
    X, y, X_test, y_test, *_ = planted
    model = MODEL.fit(X, y)
    right = model.predict(X_test) == y_test
    assert accuracy_score(right, found.predictions["right"]) > 0.98


def test_explain_lists_the_largest_weights(found, planted):
    X = planted[0]
    row = found.predictions.index[3]
    frame = found.explain(row, n_rows=4)
    weights = pd.Series(found.weights[3], X.index)
    expected = weights.sort_values()
    assert frame.index[:4].tolist() == expected.index[::-1][:4].tolist()
    assert frame.index[4:].tolist() == expected.index[:4].tolist()
    scale = found.effect_check.scale
    np.testing.assert_allclose(frame["effect"], scale * weights[frame.index], rtol=1e-6)
    assert set(frame["for_or_against"]) == {"for", "against"}
    with pytest.raises(KeyError, match="no judged row 'nobody'"):
        found.explain("nobody")


def test_rows_to_flip_agree_with_predicted_removal(found, planted):
    frame = found.predictions
    at = np.flatnonzero(frame["rows_to_flip"] > 1)[0]
    size = int(frame["rows_to_flip"].iloc[at])
    order = planted[0].index[np.argsort(-found.weights[at], kind="stable")]
    assert found.effect_check.growth > 0
    more, fewer = (found.predict_removal(order[:n]).iloc[at] for n in (size, size - 1))
    assert more["without"] < 0 < fewer["without"]


def test_importance_of_columns_is_that_of_shuffling(found, planted):
    X, y, X_test, y_test, *_ = planted
    model = MODEL.fit(X, y)
    theirs = permutation_importance(model, X_test, y_test, n_repeats=3, random_state=0)
    ours = found.columns["importance"]
    assert set(ours.index) == set(X.columns)
    np.testing.assert_allclose(ours[X.columns], theirs.importances_mean, atol=1e-12)


def test_frames_and_text(found):
    frames = found.frames()
    assert {"trust", "label_errors", "leaks", "groups", "clusters"} <= set(frames)
    assert found.clusters["n_rows"].sum() == len(found.predictions)
    text = repr(found)
    assert "label errors" in text
    assert "<table>" in found._repr_html_()


def test_no_answer_from_noise():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.integers(0, 2, 80)
    model = DecisionTreeClassifier(splitter="random", max_features=1)
    with pytest.warns(UserWarning, match="better than guessing: on 80 rows, accuracy"):
        found = audit(model, X, y, **QUIET, min_lds=0.9)
    assert not found.trust.enough
    for name in ("rows", "harmful", "clusters", "predictions", "weights"):
        with pytest.raises(ValueError, match="No answer"):
            getattr(found, name)
    assert "rows" not in found.frames()
    assert "No answer" in repr(found)
    assert len(found.label_errors) == 80


def test_regression_without_test_rows():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X, y = X[:150], y[:150].copy()
    wrong = y.index[[5, 60, 99]]
    y[wrong] += 600
    found = audit(Ridge(), X, y, **QUIET)
    assert set(found.label_errors.index[:3]) == set(wrong)
    assert set(found.harmful.index[:3]) == set(wrong)
    check = found.removal_check.to_frame().set_index(["removed", "size"])["score"]
    assert check["first", 8] < check["random", 8]  # squared error
    with pytest.raises(ValueError, match="no test rows"):
        _ = found.leaks
    assert np.diag(found.weights).max() == 0


def test_store_resumes_and_workers_do_not_matter(tmp_path, planted):
    X, y, X_test, y_test, *_ = planted
    data = X[:80], y[:80], X_test, y_test
    first = audit(MODEL, *data, **QUIET, store=tmp_path)
    again = audit(MODEL, *data, **QUIET, store=tmp_path)
    np.testing.assert_array_equal(first.weights, again.weights)
    other = audit(MODEL, *data, verbose=0, n_jobs=2, n_runs=60)
    np.testing.assert_allclose(first.weights, other.weights, rtol=1e-9, atol=1e-12)
    pd.testing.assert_frame_equal(first.label_errors, other.label_errors)


def test_states_the_cost_first(capsys, planted):
    X, y, X_test, y_test, *_ = planted
    audit(MODEL, X[:60], y[:60], X_test, y_test, n_jobs=1, n_runs=50)
    assert "audit: 70 models on random subsets of 60 rows" in capsys.readouterr().err


def test_polars_and_arrays(planted):
    polars = pytest.importorskip("polars")
    X, y, X_test, y_test, *_ = planted
    names = list(X.columns)
    tables = [polars.from_pandas(part) for part in (X[:70], X_test)]
    labels = [part.to_numpy() for part in (y[:70], y_test)]
    by_polars = audit(
        MODEL,
        tables[0],
        labels[0],
        tables[1],
        labels[1],
        **QUIET,
    )
    arrays = [part.to_numpy() for part in (X[:70], X_test)]
    by_array = audit(
        MODEL,
        arrays[0],
        labels[0],
        arrays[1],
        labels[1],
        **QUIET,
    )
    np.testing.assert_allclose(
        by_polars.weights, by_array.weights, rtol=1e-5, atol=1e-8
    )
    facts = ["effect", "low", "high", "distinguishable"]
    assert list(by_polars.rows.columns) == [*facts, "label", *names]
    assert by_array.rows.columns[5] == "column 0"


def test_page_has_the_tables_and_links_their_rows(found, tmp_path):
    found.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    links = {
        section["title"]: {c["name"]: c["link"] for c in section["columns"]}
        for section in data["sections"]
    }
    assert links["Label errors"]["row"] == "train"
    assert links["Leaks"]["row"] == "targets"
    assert links["Leaks"]["train_row"] == "train"
    assert data["examples"]["train"]["labels"]["name"] == "target"
    assert links["Groups"]["group"] == "groups"
    assert data["groups"]["names"] == sorted(found.groups.index)
    assert dict(data["overview"]["facts"])["groups"].startswith("2 of 20 harmful")
    printed = " ".join(repr(found).split())  # whose notes are wrapped
    assert printed.endswith(" ".join(data["overview"]["paragraphs"]))
    assert len(data["overview"]["paragraphs"]) == 3
    errors = [c["name"] for c in data["sections"][0]["columns"]]
    assert errors[:4] == ["row", "target", "suggested", "probability"]
    assert ["LDS", f"{found.trust.lds.score:.3f}"] == [
        data["trust"]["facts"][0][0],
        data["trust"]["facts"][0][1].split()[0],
    ]


def test_scale_of_effects_is_that_of_retraining(found, planted):
    """Removing rows from all training rows has the effects that the page shows."""
    X, y, X_test, y_test, *_ = planted
    row = int(np.argmin(np.abs(found.predictions["margin"])))
    weights = found.weights[row]
    sign = 1 if y_test.iloc[row] == "malignant" else -1
    margins = []
    for kept in (np.ones(len(X), bool), ~np.isin(weights, np.sort(weights)[-8:])):
        model = MODEL.fit(X[kept], y[kept])
        margins.append(sign * model.decision_function(X_test.iloc[[row]])[0])
    true = margins[1] - margins[0]
    predicted = -np.sort(weights)[-8:].sum()
    scaled = found.effect_check.scale * predicted
    assert abs(scaled - true) < abs(predicted - true)
    assert 0.3 < found.effect_check.scale < 1


def test_suggested_class_of_three_is_the_vote_of_models_without_the_row():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X, y = X[::2], y[::2].map({0: "a", 1: "b", 2: "c"})
    y.iloc[[3, 40]] = ["b", "a"]
    found = audit(LogisticRegression(max_iter=500), X, y, **QUIET | {"n_runs": 80})
    suggested = found.label_errors["suggested"]
    assert suggested[y.index[[3, 40]]].tolist() == ["a", "b"]
    assert (suggested != y[suggested.index]).all()


def test_groups_as_a_column_are_not_learnt_from(planted):
    X, y, X_test, y_test, labs, _ = planted
    found = audit(MODEL, X.assign(lab=labs), y, X_test, y_test, groups="lab", **QUIET)
    assert set(found.groups.index) == set(labs)
    assert set(found.columns.index) == set(X.columns)


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (np.float32([4.3, 3.2]).astype(float), ["4.3", "3.2"]),
        (np.array([1.0, 1.0 + 1e-9]), ["1", "1.000000001"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1999, 2000]), ["1999", "2000"]),
    ],
)
def test_floats_that_name_groups_are_written_as_short_as_they_differ(names, titles):
    of_row = np.array([0, 0, 1])
    groups = GroupAudit(names, of_row, *[None] * 7)
    assert groups.titles.tolist() == titles
    assert groups.warning.startswith(f"Large groups: {titles[0]} (67%) and {titles[1]}")


def test_ticked_rows_are_read_back_as_names(found, planted, tmp_path):
    X = planted[0]
    path = tmp_path / "rows.json"
    fingerprint = found.trainer.train.fingerprint
    path.write_text(
        json.dumps({"fingerprint": fingerprint, "rows": [{"row": 7, "id": "x"}]})
    )
    names = found.read_selection(path)
    assert names.tolist() == [X.index[7]]


def test_predicted_removal_is_that_of_the_documentation(found, planted):
    """The formula of EffectCheck, written out over pairs of rows."""
    X, check, judged = planted[0], found.effect_check, found._judged
    some = [3, 8, 20]
    frame = found.predict_removal(X.index[some])
    effects = check.scale * found.weights
    share = np.abs(effects) / np.abs(effects).sum(axis=1, keepdims=True)
    together = np.zeros(len(effects))
    for i in some:
        for j in set(some) - {i}:
            together += effects[:, i] * share[:, j]
    change = -effects[:, some].sum(axis=1) - check.growth * together
    np.testing.assert_allclose(frame["change"], change, rtol=1e-5, atol=1e-12)
    variance = judged.model.posterior_variance(judged.runs)[:, some].sum(axis=1)
    strength = np.abs(effects[:, some]).mean(axis=0).sum()
    parts = [check.spread * np.sqrt(variance), check.growth_error * together]
    parts += [np.full(len(change), check.shared_error * strength), check.noise]
    half = 1.959964 * np.linalg.norm(parts, axis=0) * check.widths[1]  # of 3 rows
    np.testing.assert_allclose(frame["change_high"] - change, half, rtol=1e-4)
    np.testing.assert_allclose(change - frame["change_low"], half, rtol=1e-4)
    margin = found.predictions["margin"]
    np.testing.assert_allclose(frame["now"], margin)
    np.testing.assert_allclose(frame["without"] - frame["now"], frame["change"])
    with pytest.raises(KeyError, match="no training row 'nobody'"):
        found.predict_removal(["nobody"])


def test_flips_are_certain_if_the_whole_interval_is_beyond_the_border(found):
    frame = found.predict_removal(found.helpful[:20])
    n = {"certain": 0, "possible": 0, "no": 0}
    for row in frame.itertuples():
        ends = np.sign([row.now + row.change_low, row.now + row.change_high])
        n_flipped = int((ends != np.sign(row.now)).sum())
        assert row.flip == ["no", "possible", "certain"][n_flipped]
        n[row.flip] += 1
    assert min(n["possible"], n["no"]) > 0
    more = found.predict_removal(found.helpful[:21])
    assert (more["flip"] == "unknown").all()


def test_there_are_no_intervals_beyond_the_sets_that_were_checked(found, planted):
    X, check = planted[0], found.effect_check
    assert check.n_most == 20  # a tenth of the rows
    assert check.sizes.tolist() == sorted(set(check.effects.size)) == [1, 3, 7, 20]
    assert (
        found.predict_removal(X.index[:20])[["change_low", "change_high"]]
        .notna()
        .all(axis=None)
    )
    frame = found.predict_removal(X.index[:21])
    assert frame[["change_low", "change_high"]].isna().all(axis=None)
    assert frame["change"].notna().all()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_intervals_contain_the_changes_of_retraining(task):
    """Rows for and against a prediction, the most harmful ones, and random ones."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(190, 4)))
    y = X[0] + X[1] * X[2] + 0.5 * rng.normal(size=190)
    model = Ridge()
    if task == "classification":
        model, y = LogisticRegression(), (y > 0).astype(int)
    parts = X[:150], y[:150], X[150:], y[150:]
    found = audit(model, *parts, verbose=0, n_jobs=1, n_runs=100)

    def outputs(kept):
        model.fit(X[:150][kept], y[:150][kept])
        if task == "regression":
            return model.predict(X[150:])
        return model.decision_function(X[150:]) * np.where(y[150:] == 1, 1, -1)

    now, inside, wide = outputs(np.ones(150, bool)), {}, []
    for size in (1, 4, 12):
        sets = {("random", k): rng.choice(150, size, replace=False) for k in range(3)}
        sets["harmful", 0] = found.harmful.index[:size]
        for row in range(0, 40, 5):
            order = np.argsort(found.weights[row])
            sets["for", row], sets["against", row] = order[-size:], order[:size]
        for (kind, row), rows in sets.items():
            frame = found.predict_removal(rows)
            true = outputs(~np.isin(np.arange(150), rows)) - now
            held = (
                (frame["change_low"] <= true) & (true <= frame["change_high"])
            ).to_numpy()
            held = held[[row]] if kind in ("for", "against") else held
            inside.setdefault(kind, []).append(held)
            if kind == "for":
                width = frame["change_high"].iloc[row] - frame["change_low"].iloc[row]
                wide.append([width / 2, abs(true[row])])
    for kind, held in inside.items():
        assert np.concatenate(held).mean() > 0.85, kind
    width, size = np.transpose(wide)
    assert np.median(width / size) < 0.6


def test_columns_without_values_or_with_other_categories_in_the_test_set(planted):
    X, y, X_test, y_test, *_ = planted
    city = np.where(np.arange(len(X)) % 3 == 0, "Rome", "Oslo")
    X = X.assign(city=city, kind=pd.Categorical(city))
    for other in (None, "Bern"):
        tested = X_test.assign(city=other, kind=pd.Categorical([other] * len(X_test)))
        found = audit("linear", X, y, tested, y_test, **QUIET)
        assert found.columns["importance"].notna().all()
        assert len(found.frames()["predictions"]) == len(X_test)


def test_intervals_stay_wide_where_effects_have_no_scale(found):
    """If retraining shows nothing of the weights, the effect is 0, but not for sure."""
    judged = found._judged
    none = judged._replace(check=judged.check._replace(scale=0.0))
    assert not none.effects.any()
    assert (none.standard_errors() > 0).all()


def test_rows_count_with_their_weights():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    parts = X[:120], y[:120], X[120:160], y[120:160]
    weight = np.random.default_rng(0).choice([0.0, 1, 4], 120)
    found = audit(Ridge(0.1), *parts, sample_weight=weight, **QUIET)

    def predict(rows):
        model = Ridge(0.1).fit(parts[0][rows], parts[1][rows], weight[rows])
        return model.predict(parts[2])

    everything = np.ones(120, dtype=bool)
    predicted = found.predictions["prediction"]
    np.testing.assert_allclose(predicted, predict(everything), rtol=1e-5)
    runs = found.trainer.fit_transform([0, 5])
    for mask, outputs in zip(runs.masks.astype(bool), runs.outputs, strict=True):
        np.testing.assert_allclose(outputs[120:], predict(mask), rtol=1e-5)
    # rows that training ignores have next to no weight
    size = np.abs(found.weights).mean(axis=0)
    assert size[weight == 0].max() < 0.2 * size[weight == 4].mean()
    assert size[weight == 1].mean() < 0.7 * size[weight == 4].mean()


def test_intervals_of_rows_are_those_of_the_mean_output(found, planted):
    judged, wrong = found._judged, planted[-1]
    classes = pd.Series(judged.truth)
    share = 1 / (2 * classes.map(classes.value_counts()).to_numpy())
    scale = found.effect_check.scale
    mean = infer_weights(judged.model, judged.runs).combine(share)
    frame = found.rows.loc[planted[0].index]
    weights = share @ found.weights
    np.testing.assert_allclose(frame["effect"], scale * weights, rtol=1e-5)
    mean = replace(mean, estimate=mean.estimate + weights.mean())
    effects = found.effect_check.effects
    small = effects.size <= np.median(effects.size)
    predicted = scale * effects.predicted[small]
    off = effects.true[small] - predicted
    relative = np.sqrt((off**2).sum() / (predicted**2).sum())
    for side, ends in (("less", frame["effect"] < 0), ("greater", frame["effect"] > 0)):
        low, high = scale * mean.adjusted_interval(0.1, alternative=side)[0].T
        half = np.hypot((high - low) / 2, 1.96 * relative * frame["effect"])
        for name, sign in (("low", -1), ("high", 1)):
            expected = (low + high) / 2 + sign * half
            np.testing.assert_allclose(frame[name][ends], expected[ends], rtol=1e-4)
        selected = mean.select(0.1, alternative=side)[0]
        marked = frame["distinguishable"].to_numpy()
        assert not (marked & ~selected)[ends].any()
        assert (marked == selected)[ends].mean() > 0.9
    marked = found.harmful[found.harmful["distinguishable"]].index
    assert len(marked) > 8
    assert np.isin(marked, wrong).mean() > 0.8
    assert found.groups["distinguishable"].iloc[:2].all()


def test_intervals_of_explain_are_within_those_of_predicted_removal(found, planted):
    row = found.predictions.index[3]
    frame = found.explain(row, n_rows=3)
    for name, one in frame.iterrows():
        change = found.predict_removal([name]).loc[row]
        np.testing.assert_allclose(one["effect"], -change["change"], rtol=1e-5)
        assert -change["change_high"] <= one["low"] + 1e-9
        assert one["high"] <= -change["change_low"] + 1e-9
        assert not one["distinguishable"] or one["low"] * one["high"] > 0
    all_rows = found.explain(row, n_rows=200)
    n_for, n_against = (
        all_rows["distinguishable"][all_rows["for_or_against"] == side].sum()
        for side in ("for", "against")
    )
    assert 0 < n_against < 100
    assert f"{n_for} for the prediction, {n_against} against" in frame.attrs["message"]


def test_intervals_contain_the_effects_of_training_without_single_rows(found, planted):
    X, y, X_test, y_test, *_ = planted
    sign = np.where(y_test == "malignant", 1, -1)
    margins = []
    for left_out in range(-1, len(X)):
        kept = np.arange(len(X)) != left_out
        margins.append(sign * MODEL.fit(X[kept], y[kept]).decision_function(X_test))
    true = pd.DataFrame(margins[0] - margins[1:], X.index, X_test.index)
    for row in X_test.index[:10]:
        frame = found.explain(row, n_rows=200)
        one = true.loc[frame.index, row]
        inside = (frame["low"] < one) & (one < frame["high"])
        assert inside.mean() > 0.9
        assert (np.sign(one) == np.sign(frame["effect"]))[
            frame["distinguishable"]
        ].all()
    classes = y_test.map(y_test.value_counts())
    mean = (true / classes / 2).sum(axis=1)[found.rows.index]
    rows = found.rows
    assert ((rows["low"] < mean) & (mean < rows["high"])).mean() > 0.9
    assert (np.sign(mean) == np.sign(rows["effect"]))[rows["distinguishable"]].all()


def test_no_row_stands_out_where_no_effect_is_distinguishable(found):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": np.arange(300.0)})
    errors = np.full(300, 0.3)
    frame = explain(0.3 * rng.standard_normal(300), errors, table.iloc[[0]], table, 5)
    assert not frame["distinguishable"].any()
    assert "No row stands out" in frame.attrs["message"]


def test_intervals_with_a_rare_class_and_with_values():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X, y = X[:110], y[:110].map({0: "a", 1: "b", 2: "c"})  # 10 of c
    model = LogisticRegression(max_iter=500)
    found = audit(model, X, y, **QUIET)
    assert found.trainer.design == "stratified"
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    values = audit(Ridge(), X[:100], y[:100], X[100:150], y[100:150], **QUIET)
    for one in (found, values):
        rows = one.rows
        assert (rows["low"] < rows["high"]).all()
        inside = (rows["low"] < rows["effect"]) & (rows["effect"] < rows["high"])
        assert inside.mean() > 0.8


def test_groups_that_cannot_be_audited_do_not_end_the_audit(planted):
    X, y, X_test, y_test, *_ = planted
    labels = np.array([f"lab {k % 10}" for k in range(200)], object)
    labels[y == "malignant"] = "clinic"
    reason = r"'malignant' are in 1 of 11 groups \(clinic\)"
    with pytest.warns(UserWarning, match=reason):
        found = audit(MODEL, X, y, X_test, y_test, groups=labels, **QUIET)
    assert found.trust.enough
    with pytest.raises(ValueError, match="its warning says why"):
        _ = found.groups


def test_subsets_of_groups_that_miss_a_class_are_left_out(planted):
    X, y, X_test, y_test, *_ = planted
    labels = np.arange(200) % 12
    labels[y == "malignant"] %= 4  # so that 1 in 16 subsets of groups has no such row
    with pytest.warns(UserWarning, match="saw no example of a class"):
        found = audit(MODEL, X, y, X_test, y_test, groups=labels, **QUIET)
    assert found.group_audit.trust.enough
    assert np.isfinite(found.groups["effect"]).all()
