"""The findings of an audit as pandas frames that keep the user's rows and columns."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.inspection import permutation_importance
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from skdatamodels._tables import import_pandas
from skdatamodels.applications import (
    DatamodelEmbedding,
    LeakageDetector,
    predict_support_size,
)
from skdatamodels.inference._named_weights import are_distinguishable
from skdatamodels.influence._pipeline_tables import split_pipeline
from skdatamodels.influence._surrogate_table import surrogate_table

_MOST_CLUSTERS, _ROWS_PER_CLUSTER = 8, 20
_N_COMPONENTS = 20  # of the weights, for clusters
_N_SHUFFLES, _MOST_SHUFFLED = 3, 1000  # times; rows
_N_OUTPUTS = 20  # bounds the columns of the representation
_CERTAIN = 0.8  # leakage score; half of this is common where nothing leaks
_NEAR = 0.1  # distance of near-duplicates, relative to that of the next row


def beside(facts, table):
    """Return a frame with facts before the columns of a table.

    Columns of the table with the name of a fact are renamed.
    """
    pandas = import_pandas()
    same = {name: f"{name} (column)" for name in table.columns if name in facts}
    table = table.rename(columns=same)
    # by position, because a row may be there several times
    facts = pandas.DataFrame({k: np.asarray(v) for k, v in facts.items()})
    joined = pandas.concat([facts, table.reset_index(drop=True)], axis=1)
    return joined.set_index(table.index)


def predictions(judged, table, clusters):
    """Return what the model says about each judged row, and how brittle that is."""
    facts = {"cluster": clusters}
    if judged.task == "regression":
        facts |= {"prediction": judged.output, "error": judged.output - judged.truth}
    else:
        facts |= {
            "right": judged.output > 0,
            "margin": judged.output,
            "rows_to_flip": predict_support_size(judged.effects, judged.output),
        }
    return beside(facts, table)


def effects_of_rows(judged, table, strata):
    """Return what each training row does to the score, the most harmful first."""
    facts = facts_of_effects(judged.mean_benefit(), judged.mean_intervals(strata))
    return beside(facts, table).sort_values("effect", kind="stable")


def facts_of_effects(effect, interval):
    """Return the columns of effects (n,) with their intervals (n, 2)."""
    return {
        "effect": effect,
        "low": interval[:, 0],
        "high": interval[:, 1],
        "distinguishable": are_distinguishable(effect, interval),
    }


def columns(model, train, judged, names, seed):
    """Return how much the score falls when a column is shuffled, the most first.

    Parameters
    ----------
    model : fitted estimator
        The model.
    train, judged : Examples
        Training and test rows: data frames, or arrays with two dimensions. `judged` is
        None if there are no test rows.
    names : sequence of str
        Names of the columns.
    seed : int
    """
    fall, rng = {}, np.random.default_rng([seed, 3])
    parts = {"in_training": train} if judged is None else {"importance": judged}
    for name, part in (parts | {"in_training": train}).items():
        if len(part) > _MOST_SHUFFLED:
            part = part[rng.choice(len(part), _MOST_SHUFFLED, replace=False)]
        with threadpool_limits(1):  # for small tables, threads only wait
            fall[name] = permutation_importance(
                model, part.X, part.y, n_repeats=_N_SHUFFLES, random_state=seed
            ).importances_mean
    index = import_pandas().Index(names, name="column")
    frame = import_pandas().DataFrame(fall, index=index)
    return frame.sort_values(next(iter(frame)), ascending=False, kind="stable")


def representation(model, train, targets):
    """Return both parts as standardised numbers, as a fitted model sees them.

    The steps of a pipeline before the last make the numbers.

    Returns
    -------
    Z_train, Z_targets : float64 array of shape (n, n_features)
    """
    _, train, targets = split_pipeline(model, train, targets)
    return [part.X for part in surrogate_table(train, targets, _N_OUTPUTS)]


def leaks(weights, Z_train, Z_test, train_table, test_table):
    """Return test rows that are also in the training set, the most certain first.

    `weights` must be positive where a training row is good for a test row. None uses
    the representation alone.
    """
    if weights is None:
        weights = np.zeros((len(Z_test), len(Z_train)))
    detector = LeakageDetector(threshold=_CERTAIN, higher_is_better=True)
    detector.fit(weights, train_representation=Z_train, target_representation=Z_test)
    score = detector.leakage_score_
    found = np.flatnonzero(score > -detector.offset_)
    found = found[np.argsort(-score[found], kind="stable")]
    twins = detector.candidates_[found, 0]
    facts = {
        "train_row": train_table.index[twins],
        "n_differ": _n_differ(test_table.iloc[found], train_table.iloc[twins]),
        "score": score[found],
        "evidence": detector.spoke_[found],
    }
    return beside(facts, test_table.iloc[found])


def _n_differ(table, twins):
    """Return in how many columns each row differs from its twin."""
    differ = np.zeros(len(table), dtype=int)
    for name in table.columns:
        one, other = table[name].to_numpy(object), twins[name].to_numpy(object)
        missing = import_pandas().isna(one) & import_pandas().isna(other)
        differ += ~missing & (one.astype(str) != other.astype(str))
    return differ


def duplicates(Z, table):
    """Return pairs of training rows that are equal or nearly so, the closest first."""
    rows, label = np.arange(len(Z)), table.columns[0]
    distance, near = NearestNeighbors(n_neighbors=3).fit(Z).kneighbors(Z)
    first = np.where(near[:, 0] == rows, 1, 0)  # a copy may come before the row itself
    twin, gap = near[rows, first], distance[rows, first]
    found = np.flatnonzero(gap <= _NEAR * distance[:, 2])
    pairs = np.sort(np.column_stack([rows[found], twin[found]]), axis=1)
    pairs, at = np.unique(pairs, axis=0, return_index=True)
    order = np.argsort(gap[found[at]], kind="stable")
    one, other = pairs[order].T
    facts = {
        "twin": table.index[other],
        "n_differ": _n_differ(table.iloc[one], table.iloc[other]),
        f"{label} of twin": table[label].to_numpy()[other],
    }
    return beside(facts, table.iloc[one])


def clusters(judged, seed):
    """Return the cluster of each judged row, and a frame that describes the clusters.

    Rows are in a cluster if the same training rows raise and lower their outputs.
    """
    n_judged, n_train = judged.weights.shape
    n_clusters = max(2, min(_MOST_CLUSTERS, n_judged // _ROWS_PER_CLUSTER))
    embedding = DatamodelEmbedding().fit_transform(judged.weights)
    n_components = min(_N_COMPONENTS, n_judged - 1, n_train - 1)
    embedding = PCA(n_components, random_state=seed).fit_transform(embedding)
    names = KMeans(n_clusters, n_init=4, random_state=seed).fit_predict(embedding)
    names = _by_size(names)
    facts = [_facts_of_cluster(judged, names == k) for k in range(names.max() + 1)]
    frame = import_pandas().DataFrame(facts)
    frame.index.name = "cluster"
    return names, frame


def _facts_of_cluster(judged, among):
    truth, output = judged.truth[among], judged.output[among]
    facts = {"n_rows": int(among.sum())}
    if judged.task == "regression":
        rmse = np.sqrt(np.mean((output - truth) ** 2))
        return facts | {"mean_value": float(truth.mean()), "rmse": float(rmse)}
    labels, counts = np.unique(truth, return_counts=True)
    return facts | {
        "label": labels[counts.argmax()],
        "share_of_label": float(counts.max() / counts.sum()),
        "error_rate": float(np.mean(output <= 0)),
    }


def _by_size(names):
    """Give clusters the numbers 0, 1, …, the largest first."""
    labels, counts = np.unique(names, return_counts=True)
    number = np.empty(labels.max() + 1, dtype=int)
    number[labels[np.argsort(-counts, kind="stable")]] = np.arange(len(labels))
    return number[names]
