"""LDS of the baselines on digits, on the runs of `fidelity.py`.

The truth: networks on half-subsets, log-odds. The gradient methods get networks of the
same kind, trained on all of the training set; each network is one more training.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from fidelity import ESTIMATORS, make_trainer
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from skdatamodels import influence as baselines
from skdatamodels import sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.metrics import lds_interval

OUTPUT = {"output": "log_odds"}


def train_networks(train, n_networks, every=3):
    """Return networks as torch modules, each with states along its training."""
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
                        f"{2 * number}.{name}": torch.tensor(value)
                        for number, (W, b) in enumerate(layers)
                        for name, value in (("weight", W.T.copy()), ("bias", b.copy()))
                    }
                )
        (d, hidden), (_, n_classes) = (W.shape for W in model.coefs_)
        module = torch.nn.Sequential(
            torch.nn.Linear(d, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, n_classes),
        ).double()
        module.load_state_dict(states[-1])
        networks.append((module, states))
    return networks


def average(function, networks):
    """Return the mean influence over networks, each network's scaled to unit size."""
    parts = [function(*network) for network in networks]
    return sum(part / part.std() for part in parts)


def embed(module, X):
    """Return what comes into the last layer."""
    import torch

    return module[:2](torch.tensor(X)).detach().numpy()


def methods(train, targets, networks):
    """Return functions without arguments that make the attribution matrices."""
    data = train, targets
    modules = [module for module, _ in networks]

    def similarity(metric):
        pairs = ([embed(module, part.X) for module in modules] for part in data)
        return baselines.representation_similarity(*pairs, metric=metric)

    def tracin(module, states):
        return baselines.tracin(
            module,
            *data,
            checkpoints=states,
            learning_rates=[1] * len(states),
            **OUTPUT,
        )

    def last_layer(damping):
        return average(
            lambda module, _: baselines.last_layer_influence(
                module, *data, damping=damping, **OUTPUT
            ),
            networks,
        )

    return {
        "random": lambda: baselines.random_influence(*data),
        "random, same class": lambda: baselines.random_influence(
            *data, same_class=True
        ),
        "same class": lambda: baselines.same_class_influence(*data),
        "pixels, L2": lambda: baselines.representation_similarity(train.X, targets.X),
        "layer, L2": lambda: similarity("l2"),
        "layer, cosine": lambda: similarity("cosine"),
        "layer, dot": lambda: similarity("dot"),
        "k-NN Shapley, pixels": lambda: baselines.knn_shapley(*data),
        "gradient dot": lambda: average(
            lambda module, _: baselines.gradient_dot(module, *data, **OUTPUT), networks
        ),
        "TracInCP": lambda: average(tracin, networks),
        "last layer, damping 0.1": lambda: last_layer(0.1),
        "last layer, damping 1": lambda: last_layer(1),
        "last layer, damping 10": lambda: last_layer(10),
        "ridge influence": lambda: baselines.ridge_influence(
            RidgeClassifier(), *data, **OUTPUT
        ),
        "ridge leave-one-out": lambda: baselines.ridge_leave_one_out(
            RidgeClassifier(), *data, **OUTPUT
        ),
        "logistic influence": lambda: baselines.logistic_influence(
            LogisticRegression(), *data, **OUTPUT
        ),
    }


def main():
    """Print LDS with intervals, and seconds, by method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--every", type=int, default=4, help="take every k-th target")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = make_trainer("mlp", train, targets, "log_odds", arguments.store)
    held_out = sample_masks(500, len(train), 0.5, random_state=1).dense()
    truth = trainer.fit(held_out).transform(held_out).outputs[:, :: arguments.every]
    networks = train_networks(train, arguments.networks)
    few = targets[:: arguments.every]
    for name, method in methods(train, few, networks).items():
        start = time.perf_counter()
        influence = method()
        seconds = time.perf_counter() - start
        score, low, high = lds_interval(truth, held_out @ influence.T, random_state=0)
        print(f"{name:<24} LDS {score:.3f} [{low:.3f}, {high:.3f}]  {seconds:.1f} s")


if __name__ == "__main__":
    main()
