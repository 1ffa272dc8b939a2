"""LDS of the baselines on digits, on the runs of `fidelity.py`.

The true outputs are log-odds of networks trained on half-subsets. The gradient methods
use networks of the same kind, trained on the whole training set. Each network costs one
training.

Settings such as damping are chosen on a tuning split, by LDS on runs and targets other
than those of the reported scores, with at most two networks to save time.

Methods of packages that are not installed are skipped.
"""

import argparse
import time
from itertools import product
from typing import NamedTuple

import numpy as np
from _machine import describe_machine
from fidelity import ESTIMATORS, make_trainer
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from skdatamodels import influence as baselines
from skdatamodels import sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import adapters
from skdatamodels.metrics import lds_interval, linear_datamodeling_score

OUTPUT = {"output": "log_odds"}


class Method(NamedTuple):
    """A method that computes an attribution matrix.

    It calls ``make(train, targets, networks, **setting)``. `grid` contains the settings
    to choose from.
    """

    name: str
    make: callable
    n_networks: int = 0
    grid: tuple = ({},)


def train_networks(train, n_networks, every=3):
    """Return networks as torch modules, each with checkpoints of its training."""
    import torch

    networks = []
    for seed in range(n_networks):
        model, states = clone(ESTIMATORS["mlp"]).set_params(random_state=seed), []
        for epoch in range(1, model.max_iter + 1):
            model.partial_fit(train.X, train.y, classes=np.unique(train.y))
            if epoch % every == 0:
                layers = zip(model.coefs_, model.intercepts_, strict=True)
                states.append(
                    {
                        f"{2 * number}.{name}": torch.tensor(value, dtype=torch.float32)
                        for number, (W, b) in enumerate(layers)
                        for name, value in (("weight", W.T.copy()), ("bias", b.copy()))
                    }
                )
        (d, hidden), (_, n_classes) = (W.shape for W in model.coefs_)
        module = torch.nn.Sequential(
            torch.nn.Linear(d, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, n_classes),
        )
        module.load_state_dict(states[-1])
        networks.append((module, states))
    return networks


def embed(module, X):
    """Return the input of the last layer."""
    import torch

    return module[:2](torch.tensor(X, dtype=torch.float32)).detach().numpy()


def grid(**values):
    """Return all combinations of values, as dicts."""
    return tuple(
        dict(zip(values, each, strict=True)) for each in product(*values.values())
    )


def without_networks():
    """Return controls, nearest neighbours and closed forms."""

    def plain(function, *first, **options):
        return lambda train, targets, networks: function(
            *first, train, targets, **options
        )

    def pixels(train, targets, networks):
        return baselines.representation_similarity(train.X, targets.X)

    ridge, logistic = RidgeClassifier(), LogisticRegression()
    return [
        Method("random", plain(baselines.random_influence)),
        Method(
            "random, same class", plain(baselines.random_influence, same_class=True)
        ),
        Method("same class", plain(baselines.same_class_influence)),
        Method("pixels, L2", pixels),
        Method("k-NN Shapley, pixels", plain(baselines.knn_shapley)),
        Method("ridge influence", plain(baselines.ridge_influence, ridge, **OUTPUT)),
        Method(
            "ridge leave-one-out",
            plain(baselines.ridge_leave_one_out, ridge, **OUTPUT),
        ),
        Method(
            "logistic influence",
            plain(baselines.logistic_influence, logistic, **OUTPUT),
        ),
    ]


def averaged(function, **fixed):
    """Return a method averaged over networks, after scaling to unit variance."""

    def make(train, targets, networks, **setting):
        parts = [
            function(module, train, targets, **fixed, **setting)
            for module, _ in networks
        ]
        return sum(part / part.std() for part in parts)

    return make


def of_networks(n):
    """Return methods that need networks."""

    def similarity(metric):
        def make(train, targets, networks):
            pairs = (
                [embed(module, part.X) for module, _ in networks]
                for part in (train, targets)
            )
            return baselines.representation_similarity(*pairs, metric=metric)

        return make

    def tracin(train, targets, networks):
        parts = []
        for module, states in networks:
            path = {"checkpoints": states, "learning_rates": [1] * len(states)}
            parts.append(baselines.tracin(module, train, targets, **path, **OUTPUT))
        return sum(part / part.std() for part in parts)

    last, whole = baselines.last_layer_influence, baselines.influence_functions
    cg = averaged(whole, tol=1e-2, **OUTPUT)
    return [
        *(Method(f"layer, {m}", similarity(m), n) for m in ("l2", "cosine", "dot")),
        Method("gradient dot", averaged(baselines.gradient_dot, **OUTPUT), n),
        Method("TracInCP", tracin, n),
        Method("last layer", averaged(last, **OUTPUT), n, grid(damping=[0.1, 1, 10])),
        Method("influence, CG, 1 network", cg, 1, grid(damping=[1, 10, 100])),
        Method("influence, CG", cg, n, grid(damping=[1, 10, 100])),
    ]


def trak_methods(n_networks):
    """Return TRAK for several numbers of features, with and without damping."""

    def trak(train, targets, networks, **setting):
        states = [states[-1] for _, states in networks]
        options = {"checkpoints": states, "random_state": 0, **OUTPUT, **setting}
        return baselines.trak(networks[0][0], train, targets, **options)

    return [
        Method(f"TRAK-{n}, {size or 'all'} features, {how}", trak, n, settings)
        for n in n_networks
        for size in (64, 256, 1024, None)
        for how, settings in {
            "undamped": grid(projection_dim=[size], damping=[0]),
            "default damping": grid(projection_dim=[size]),
            "damped": grid(projection_dim=[size], damping=[100, 1000, 10000]),
        }.items()
    ]


def of_peers(n):
    """Return methods of other packages."""

    def traker(train, targets, networks, **setting):
        states = [states[-1] for _, states in networks]
        options = {"checkpoints": states, "random_state": 0, **OUTPUT, **setting}
        return adapters.traker_trak(networks[0][0], train, targets, **options)

    ekfac = averaged(adapters.kronfluence_influence, random_state=0, **OUTPUT)
    arnoldi = averaged(adapters.captum_influence, random_state=0, **OUTPUT)
    return [
        Method("EK-FAC (kronfluence), 1 network", ekfac, 1),
        Method("EK-FAC (kronfluence)", ekfac, n),
        Method("Arnoldi (captum), 1 network", arnoldi, 1),
        Method(
            "TRAK (traker), 256 features", traker, 2 * n, grid(projection_dim=[256])
        ),
    ]


class Split(NamedTuple):
    """Runs and targets to score on; outputs (n_runs, n_targets)."""

    masks: np.ndarray
    targets: object
    outputs: np.ndarray


def score(method, setting, train, split, networks):
    """Return the predictions of an attribution matrix, and its computing time."""
    start = time.perf_counter()
    influence = method.make(train, split.targets, networks, **setting)
    return split.masks @ influence.T, time.perf_counter() - start


def choose(method, train, tuning, networks):
    """Return the best setting on the tuning split."""
    if len(method.grid) == 1:
        return method.grid[0]

    def lds(setting):
        predicted, _ = score(method, setting, train, tuning, networks[:2])
        return linear_datamodeling_score(tuning.outputs, predicted)

    return max(method.grid, key=lds)


def main():
    """Print LDS with interval, seconds and number of trainings for each method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--every", type=int, default=4, help="take every k-th target")
    parser.add_argument("--store", default="benchmarks/runs")
    parser.add_argument("--only", default="", help="methods whose name has this")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = make_trainer("mlp", train, targets, "log_odds", arguments.store)
    splits = []
    # Disjoint targets, masks drawn from different seeds.
    for seed, n_runs, first, every in (
        (1, 500, 0, arguments.every),
        (2, 200, 2, 4 * arguments.every),
    ):
        masks = sample_masks(n_runs, len(train), 0.5, random_state=seed).dense()
        outputs = trainer.fit(masks).transform(masks).outputs
        which = slice(first, None, every)
        splits.append(Split(masks, targets[which], outputs[:, which]))
    reported, tuning = splits
    n = arguments.networks
    networks = train_networks(train, 2 * n)
    methods = without_networks() + of_networks(n) + trak_methods((1, 2 * n))
    for method in methods + of_peers(n):
        if arguments.only not in method.name:
            continue
        some = networks[: method.n_networks]
        try:
            setting = choose(method, train, tuning, some)
            predicted, seconds = score(method, setting, train, reported, some)
        except (ImportError, ValueError) as error:
            print(f"{method.name:<40} {error}", flush=True)
            continue
        lds, low, high = lds_interval(reported.outputs, predicted, random_state=0)
        chosen = f"  of {len(method.grid)}: {setting}" if method.grid[1:] else ""
        print(
            f"{method.name:<40} LDS {lds:.3f} [{low:.3f}, {high:.3f}] "
            f"{method.n_networks:>3} trainings {seconds:>6.1f} s{chosen}",
            flush=True,
        )


if __name__ == "__main__":
    main()
