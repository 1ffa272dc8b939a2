"""LDS on digits by number of runs, for LASSO and difference of means.

The model is a network with one hidden layer, trained at α = ½; scores are on held-out
subsets. The runs are kept in the folder ``--store``, so that a second call only fits.
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from _network import make_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from skdatamodels import DatamodelRegressor, SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.metrics import lds_interval, noise_ceiling, optimal_mse
from skdatamodels.training import TorchLearner

warnings.filterwarnings("ignore", category=ConvergenceWarning)


ESTIMATORS = {
    "mlp": MLPClassifier((128,), batch_size=128, learning_rate_init=0.01, max_iter=15),
    # trains many networks at once, for tens of thousands of trainings
    "torch": TorchLearner(make_network, epochs=15),
    "logistic": LogisticRegression(),
}


def make_trainer(estimator, train, targets, output, store):
    """Return the trainer whose runs several benchmarks use."""
    return SubsetTrainer(
        ESTIMATORS[estimator],
        train,
        targets,
        output=output,
        store=store,
        n_jobs=-1,
        random_state=0,
        verbose=1,
    )


def main():
    """Print a table of LDS with intervals."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--estimator", choices=sorted(ESTIMATORS), default="mlp")
    parser.add_argument("--output", choices=["margin", "log_odds"], default="margin")
    parser.add_argument("--runs", type=int, nargs="+", default=[500, 1000, 2000, 5000])
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = make_trainer(
        arguments.estimator, train, targets, arguments.output, arguments.store
    )
    start = time.perf_counter()
    runs = trainer.fit_transform(np.arange(max(arguments.runs)))
    held_out = sample_masks(arguments.held_out, len(train), 0.5, random_state=1).dense()
    repeats = trainer.transform(np.concatenate([held_out, held_out])).outputs
    repeats = repeats.reshape(2, arguments.held_out, -1)
    print(
        f"digits, {len(train)} train, {len(targets)} targets, {arguments.estimator}, "
        f"{arguments.output}; {arguments.held_out} held-out subsets\n"
        f"training or reading: {time.perf_counter() - start:.0f} s; noise ceiling "
        f"{noise_ceiling(repeats):.3f}; OPT (mean squared error) "
        f"{optimal_mse(repeats):.3f}"
    )
    models = {
        "LASSO": DatamodelRegressor(n_jobs=-1, random_state=0),
        "difference of means": DifferenceOfMeans(),
    }
    for n_runs in arguments.runs:
        for name, model in models.items():
            start = time.perf_counter()
            predicted = model.fit(runs[:n_runs]).predict(held_out)
            seconds = time.perf_counter() - start
            score, low, high = lds_interval(repeats[0], predicted, random_state=0)
            error = ((predicted - repeats[0]) ** 2).mean()
            print(
                f"{n_runs:>6} runs  {name:<20} LDS {score:.3f} [{low:.3f}, {high:.3f}]"
                f"  MSE {error:.3f}  {seconds:.1f} s"
            )


if __name__ == "__main__":
    main()
