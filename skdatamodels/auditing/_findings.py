"""The findings of an audit as pandas frames that keep the user's rows and columns."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.inspection import permutation_importance
from threadpoolctl import threadpool_limits

from skdatamodels._tables import import_pandas
from skdatamodels.applications import DatamodelEmbedding
from skdatamodels.inference._named_weights import are_distinguishable

_MOST_CLUSTERS, _ROWS_PER_CLUSTER = 8, 20
_N_COMPONENTS = 20  # of the weights, for clusters
_N_SHUFFLES, _MOST_SHUFFLED = 3, 1000  # times; rows


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
            "rows_to_flip": _rows_to_flip(judged),
        }
    return beside(facts, table)


def _rows_to_flip(judged):
    """Return the predicted numbers of rows, largest effect first, that flip outputs.

    An output that is not positive needs no row, and NaN means that no number is enough.
    """
    found = np.full(len(judged.output), np.nan)
    for row, output in enumerate(judged.output):
        effects = np.sort(judged.effects[row])[::-1].astype(np.float64)
        size, falls = np.abs(effects), np.cumsum(effects)
        pairs = falls * np.cumsum(size) - np.cumsum(effects * size)
        falls += judged.check.growth * pairs / max(size.sum(), 1e-300)
        enough = np.flatnonzero(np.r_[0, falls] > output)
        if enough.size:
            found[row] = enough[0]
    return found


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
