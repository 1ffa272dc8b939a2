"""Standard errors of the weights of a few rows, from runs that vary only these.

For each learner of digits, with the same number of trainings: the standard errors of
the difference of means, of `infer_weights` without and with cheap attributions as
prior, and of `infer_varied` for 1, 5 and 20 rows, those with the largest weights. The
errors are compared with those of `infer_weights` with the prior. The last column is the
root of the mean squared difference from the estimates of other runs, in units of its
standard error, which is 1 if the standard errors are right.
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import infer_varied, infer_weights
from skdatamodels.training import TorchLearner

N_GROUPS = 30
SIZES = 1, 5, 20
N_ALONE = 3  # rows that vary alone, each in runs of its own


def boosting(**parameters):
    """Return a boosting of 15 trees of 6 leaves."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=15,
        num_leaves=6,
        min_child_samples=5,
        n_jobs=1,
        verbose=-1,
        **parameters,
    )


def network():
    """Return the network 64-32-10."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def make_mlp():
    """Return scikit-learn's network 64-32-10, trained for 15 epochs."""
    return MLPClassifier((32,), max_iter=15, batch_size=32, learning_rate_init=0.01)


def make_subsampled():
    """Return a boosting whose trees see 70 % of the rows and half of the columns."""
    return boosting(subsample=0.7, subsample_freq=1, colsample_bytree=0.5)


LEARNERS = {  # name: learner, output
    "logistic": (LogisticRegression, "margin"),
    "forest": (lambda: RandomForestClassifier(10), "confidence"),
    "boosting": (boosting, "margin"),
    "subsampled": (make_subsampled, "margin"),
    "mlp": (make_mlp, "margin"),
    "torch": (lambda: TorchLearner(network, epochs=15, batch_size=32), "margin"),
}


def main():
    """Print the table, a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[*LEARNERS])
    parser.add_argument("--n-runs", type=int, default=200)
    parser.add_argument("--groups", action="store_true", help="of 10 rows, not rows")
    arguments = parser.parse_args()
    print(describe_machine())
    print(f"{arguments.n_runs} trainings; standard errors relative to 'prior'")
    print(f"{'':12} {'s a run':>8} {'prior':>7} {'means':>6} {'none':>6}", end="")
    print("".join(f" {f'{k} vary':>8}" for k in SIZES) + "   rms z")
    start = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in arguments.learners:
            report(name, arguments.n_runs, arguments.groups)
    print(f"{time.perf_counter() - start:.0f} s")


def report(name, n_runs, grouped):
    """Print the line of a learner."""
    train, targets = load_digits_examples(n_train=300)
    make, output = LEARNERS[name]
    trainer = SubsetTrainer(
        make(),
        train,
        targets[:20],
        output=output,
        groups=np.arange(300) % N_GROUPS if grouped else None,
        random_state=0,
    )
    trainer.fit_transform([0])  # imports, compiles
    start = time.perf_counter()
    runs = trainer.transform(np.arange(n_runs))
    seconds = (time.perf_counter() - start) / n_runs
    prior = dict(runs.attributions)
    ordinary = infer(runs, prior)
    unit = ordinary.standard_error.mean()
    means = 2 * (np.nanstd(runs.outputs, axis=0) / np.sqrt(n_runs)).mean()
    none = infer(runs).standard_error.mean()
    print(
        f"{name:12} {seconds:8.4f} {unit:7.4f} {means / unit:6.2f} {none / unit:6.2f}",
        end="",
        flush=True,
    )
    # in the Bernoulli design, 0 is no effect, as in pairs
    others = clone(trainer).set_params(design="bernoulli", random_state=1)
    others = infer(others.fit_transform(np.arange(2 * n_runs)), prior)
    rows = np.argsort(-abs(ordinary.estimate).mean(axis=0))
    z = []
    for k in SIZES:
        sets = [rows[:k]] if k > 1 else rows[:N_ALONE, None]
        errors = []
        for few in map(np.sort, sets):
            trainer.set_params(vary=few)
            inference = infer_varied(trainer.fit_transform(np.arange(n_runs)))
            errors.append(inference.standard_error)
            error = np.hypot(errors[-1], others.standard_error[:, few])
            z.append((inference.estimate - others.estimate[:, few]) / error)
        print(f" {np.mean(errors) / unit:8.2f}", end="", flush=True)
    print(f" {np.sqrt(np.nanmean(np.hstack(z) ** 2)):7.2f}", flush=True)


def infer(runs, prior=None):
    """Return the inference of the weights of all rows."""
    penalty = "l1" if prior is None else "auto"
    regressor = DatamodelRegressor(prior=prior, penalty=penalty, random_state=0)
    return infer_weights(regressor.fit(runs), runs)


if __name__ == "__main__":
    main()
