"""Audits of six real tables: what was planted, and what was found.

Wrong labels (3 % at random, and half of those of one source), a bad source, five test
rows that are copies of training rows, and in a second audit a column that tells the
label in training only. cleanlab, if installed, gets the same files; it has no answer
for sources, columns and effects.
"""

import argparse
import time
import warnings

import numpy as np
from _audit_tables import TABLES, load, with_shortcut, worst_source
from _machine import describe_machine
from sklearn.metrics import average_precision_score

from skdatamodels import audit


def run(table, **settings):
    """Audit a table; return the audit and its seconds."""
    model = table.model if isinstance(table.model, str) else table.model()
    start = time.perf_counter()
    found = audit(
        model,
        table.X,
        table.y,
        table.X_test,
        table.y_test,
        verbose=0,
        **settings,
    )
    return found, time.perf_counter() - start


def label_scores(order, wrong):
    """Return average precision, and precision among as many as are planted."""
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order), 0, -1)
    n_wrong = int(wrong.sum())
    return average_precision_score(wrong, rank), wrong[order[:n_wrong]].mean()


def by_cleanlab(table):
    """Return the order of cleanlab, and its seconds, or None without it."""
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return None
    from sklearn.base import is_regressor
    from sklearn.model_selection import cross_val_predict

    from skdatamodels.auditing._models import model_for

    model = table.model
    if isinstance(model, str):
        task = "regression" if table.y.dtype.kind == "f" else "classification"
        model = model_for(model, table.X, task)
    else:
        model = model()
    start = time.perf_counter()
    if is_regressor(model):
        from cleanlab.regression.rank import get_label_quality_scores as score_values

        predicted = cross_val_predict(model, table.X, table.y, cv=5)
        quality = score_values(table.y.to_numpy(), predicted)
    else:
        codes = np.unique(table.y, return_inverse=True)[1]
        proba = cross_val_predict(model, table.X, codes, cv=5, method="predict_proba")
        quality = get_label_quality_scores(codes, proba)
    return np.argsort(quality, kind="stable"), time.perf_counter() - start


def report(name):
    """Print what was found in one table."""
    table = load(name)
    found, seconds = run(table, groups=table.sources)
    errors = found.label_errors
    order = table.X.index.get_indexer(errors.index)
    precision, at_k = label_scores(order, table.wrong)
    model = table.model if isinstance(table.model, str) else table.model.__name__
    print(f"\n### {name}: {len(table.X):,} training rows, {model}\n")
    print("| planted | found |\n|---|---|")
    print(f"| seconds | {seconds:.0f} |")
    print(f"| trust: LDS | {found.trust.lds} (ceiling {found.trust.ceiling:.2f}) |")
    n_wrong = int(table.wrong.sum())
    print(
        f"| {n_wrong} wrong labels | {at_k:.2f} of the first {n_wrong}, average "
        f"precision {precision:.2f}; expected {errors.probability.sum():.0f} |",
        flush=True,
    )
    theirs = by_cleanlab(table)
    if theirs is not None:
        precision, at_k = label_scores(theirs[0], table.wrong)
        print(
            f"| the same by cleanlab | {at_k:.2f} of the first {n_wrong}, average "
            f"precision {precision:.2f}, {theirs[1]:.0f} s |"
        )
    print_groups(found, table)
    hits = np.isin(table.leaks, found.leaks.index).sum()
    print(f"| {len(table.leaks)} leaks | {hits}, of {len(found.leaks)} flagged |")
    print_removal(found)
    print_effects(found)
    print_shortcut(table)


def print_groups(found, table):
    """Print the rank of the bad source."""
    bad = worst_source(table.sources)
    if not found.group_audit.trust.enough:
        print(f"| source {bad} | no answer: LDS {found.group_audit.trust.lds} |")
        return
    rank = found.groups.index.tolist().index(bad) + 1
    print(f"| source {bad} | number {rank} of {len(found.groups)} |", flush=True)


def print_removal(found):
    """Print the score without the worst rows, on test rows not used to choose them."""
    check = found.removal_check
    if check is None:
        print("| without the worst rows | no answer |")
        return
    frame = check.to_frame()
    for size, rows in frame.groupby("size"):
        scores = rows.set_index("removed")["score"]
        text = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
        print(f"| {check.metric} without {size} rows | {text} |")


def print_effects(found, n_rows=20, size=10):
    """Print how predicted effects compare with those of training without rows.

    These are other judged rows and sets than the audit has checked.
    """
    rng = np.random.default_rng(7)
    names = rng.choice(found.predictions.index, n_rows, replace=False)
    masks, predicted = [], []
    ids = found.trainer.train.ids
    for name in names:
        explained = found.explain(name, size)
        for kind in ("for", "against"):
            removed = explained.index[explained["for_or_against"] == kind]
            masks.append(~np.isin(ids, removed))
            predicted.append(found.predict_removal(removed).loc[name])
    everything = np.ones((3, len(ids)), dtype=bool)
    outputs = found.trainer.transform(np.concatenate([everything, masks])).outputs
    first = len(found.trainer.targets) - len(found.predictions)
    at = first + np.repeat(found.predictions.index.get_indexer(names), 2)
    change = outputs[3:][np.arange(len(at)), at] - outputs[:3, at].mean(axis=0)
    guess, low, high = (
        np.array([row[k] for row in predicted])
        for k in ("change", "change_low", "change_high")
    )
    inside = ((low <= change) & (change <= high)).mean()
    slope, correlation = guess @ change / (guess @ guess), np.corrcoef(guess, change)
    print(
        f"| {len(at)} effects of removing {size} rows | correlation "
        f"{correlation[0, 1]:.2f}, slope {slope:.2f}, {inside:.0%} in their 95 % "
        "interval |",
        flush=True,
    )


def print_shortcut(table):
    """Print the importance of a column that tells the label in training only."""
    found, _ = run(with_shortcut(table), n_runs=50)
    note = found.columns.loc["note"]
    rank = found.columns["in_training"].rank(ascending=False)["note"]
    print(
        f"| a shortcut column | number {rank:.0f} of {len(found.columns)} in training "
        f"({note['in_training']:+.3f}), {note['importance']:+.3f} on test rows |",
        flush=True,
    )


def main():
    """Print the reports."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(describe_machine())
    for name in arguments.tables:
        report(name)


if __name__ == "__main__":
    main()
