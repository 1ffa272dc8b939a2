"""Pairs of a target and a training example that people are asked to compare."""

import hashlib

import numpy as np

from skdatamodels.metrics._leakage_recall import check_candidates


def data_fingerprint(train, targets):
    """Return the hexadecimal fingerprint of a training set and its targets."""
    both = f"{train.fingerprint} {targets.fingerprint}".encode()
    return hashlib.sha256(both).hexdigest()


def make_tasks(candidates, train, targets, rows=None):
    """Return the questions of an annotation, one dict for each target with candidates.

    Parameters
    ----------
    candidates : int array-like of shape (n_targets, n_candidates) or None
        Training examples to compare with each target, padded with -1.
    train, targets : Examples
        The examples.
    rows : int array, default=None
        Targets to ask about, in this order. None: all.
    """
    if candidates is None:
        return []
    candidates = check_candidates(candidates, len(train), len(targets))
    rows = np.arange(len(targets)) if rows is None else rows
    tasks = [
        {"target": int(j), "candidates": candidates[j][candidates[j] >= 0].tolist()}
        for j in rows
    ]
    return [task for task in tasks if task["candidates"]]


def candidate_rows(tasks):
    """Return the training examples of questions, in increasing order."""
    return np.unique([i for task in tasks for i in task["candidates"]]).astype(int)
