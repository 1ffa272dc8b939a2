"""LDS by subset design and number of runs, on digits, scored on uniform subsets.

Each design is drawn with each seed. All are scored on the same held-out uniform subsets
of α = ½. A row contains the mean LDS over seeds, and the mean difference to uniform
runs of the same seed with its 95 % interval by Student's t over seeds.
"""

import argparse
import time
from functools import partial

import numpy as np
from _machine import describe_machine
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from training import make_mlp

from skdatamodels import DatamodelRegressor, SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.training import TorchLearner

LEARNERS = {
    "mlp": partial(TorchLearner, make_mlp, epochs=15, batch_size=64),
    "logistic": LogisticRegression,
    "ridge": RidgeClassifier,
}
# name: design, alpha, whether the runs of a pair share a training seed
DESIGNS = {
    "uniform": ("uniform", 0.5, False),
    "bernoulli": ("bernoulli", 0.5, False),
    "stratified": ("stratified", 0.5, False),
    "complementary": ("complementary", 0.5, True),
    "complementary, own seeds": ("complementary", 0.5, False),
    "balanced": ("balanced", 0.5, False),
    "orthogonal": ("orthogonal", 0.5, True),
    "α = .25, .5, .75": ("uniform", (0.25, 0.5, 0.75), False),
    "α = .4, .5, .6": ("uniform", (0.4, 0.5, 0.6), False),
}


def draw_runs(trainer, name, n_runs, seed):
    """Return runs of a design; if seeds are not shared, train on explicit masks."""
    design, alpha, shared = DESIGNS[name]
    trainer.set_params(design=design, alpha=alpha, random_state=seed)
    if shared or design == "uniform":
        return trainer.transform(np.arange(n_runs))
    train = trainer.train
    return trainer.transform(
        sample_masks(
            n_runs, len(train), alpha, design=design, random_state=seed, y=train.y
        )
    )


def score(trainer, truth, name, sizes, seed):
    """Return the LDS at each number of runs."""
    runs = draw_runs(trainer, name, max(sizes), seed)
    model = DatamodelRegressor(random_state=seed)
    return [
        linear_datamodeling_score(
            truth.outputs, model.fit(runs[:n]).predict(truth.masks)
        )
        for n in sizes
    ]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--learner", choices=sorted(LEARNERS), default="mlp")
    parser.add_argument("--runs", type=int, nargs="+", default=[500, 1000, 2448])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--every", type=int, default=6, help="targets to take")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS))
    parser.add_argument("--store", default=None)
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    targets = targets[:: arguments.every]
    trainer = SubsetTrainer(
        LEARNERS[arguments.learner](), train, targets, output="log_odds"
    ).set_params(store=arguments.store)
    truth = trainer.set_params(random_state=10**6).fit_transform(
        np.arange(arguments.held_out)
    )
    print(
        f"{arguments.learner}, {len(targets)} targets, {arguments.seeds} seeds, "
        f"{arguments.held_out} uniform subsets to judge on; LDS and, in brackets, the "
        "difference to uniform with its 95 % interval"
    )
    print(f"{'runs':<26}" + "".join(f"{n:>30}" for n in arguments.runs))
    base, half_width = None, student.ppf(0.975, arguments.seeds - 1)
    for name in arguments.designs:
        start = time.perf_counter()
        scores = np.array(
            [
                score(trainer, truth, name, arguments.runs, seed)
                for seed in range(arguments.seeds)
            ]
        )
        base = scores if base is None else base
        gain = scores - base
        error = half_width * gain.std(axis=0, ddof=1) / np.sqrt(arguments.seeds)
        cells = [
            f"{lds:.4f} [{mean:+.4f} ± {e:.4f}]"
            for lds, mean, e in zip(scores.mean(0), gain.mean(0), error, strict=True)
        ]
        seconds = time.perf_counter() - start
        print(
            f"{name:<26}" + "".join(f"{c:>30}" for c in cells) + f"  {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
