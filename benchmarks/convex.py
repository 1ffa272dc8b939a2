"""A convex linear model needs no runs: its influence function is nearly exact.

LDS on unseen halves, and seconds, of the influence function of a logistic regression,
and of datamodels of 500 runs, on rows that scikit-learn generates.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.influence import logistic_influence
from skdatamodels.metrics import lds_interval


def main():
    """Print scores and times."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=20_000)
    parser.add_argument("--n-runs", type=int, default=500)
    parser.add_argument("--n-unseen", type=int, default=200)
    arguments = parser.parse_args()
    print(describe_machine())
    X, y = make_classification(
        arguments.n_train + 50, 20, n_informative=10, flip_y=0.1, random_state=0
    )
    examples = Examples(X, y)
    train, targets = examples[:-50], examples[-50:]
    model = LogisticRegression(tol=1e-6)
    trainer = SubsetTrainer(model, train, targets, random_state=0)
    start = time.perf_counter()
    runs = trainer.fit_transform(np.arange(arguments.n_runs + arguments.n_unseen))
    each = (time.perf_counter() - start) / len(runs)
    fitted, unseen = runs[: arguments.n_runs], runs[arguments.n_runs :]
    start = time.perf_counter()
    influence = logistic_influence(model, train, targets)
    seconds = time.perf_counter() - start
    predicted = unseen.packed.dot(influence.T)
    print(f"influence: LDS {_score(unseen, predicted)}, {seconds:.1f} s")
    start = time.perf_counter()
    datamodels = DatamodelRegressor(random_state=0).fit(fitted)
    seconds = time.perf_counter() - start + each * len(fitted)
    print(
        f"{len(fitted)} runs: LDS {_score(unseen, datamodels.predict(unseen))}, "
        f"{seconds:.1f} s"
    )


def _score(runs, predicted):
    score, low, high = lds_interval(runs.outputs, predicted, random_state=0)
    return f"{score:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
