"""Training on subsets of digits."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from skdatamodels import SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import TorchLearner

from ._ratio import ratio

N_RUNS = 24


class Estimators:
    """`SubsetTrainer`, against a plain loop of fits of the same estimator."""

    estimators = {
        "RidgeClassifier": RidgeClassifier(),
        "LogisticRegression": LogisticRegression(),
        "GaussianNB": GaussianNB(),
        "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=4),
    }
    params = list(estimators)
    param_names = ("estimator",)

    def setup(self, name):
        """Load the images, and draw the masks of the loop."""
        self.estimator = self.estimators[name]
        self.train, self.targets = load_digits_examples(n_train=200)
        self.masks = sample_masks(N_RUNS, 200, 0.5, random_state=0).dense()

    def loop(self):
        """Train as one would without this package."""
        ask = getattr(self.estimator, "decision_function", None)
        name = "decision_function" if ask else "predict_proba"
        for mask in self.masks:
            model = clone(self.estimator).fit(self.train.X[mask], self.train.y[mask])
            getattr(model, name)(self.targets.X)

    def track_runs(self, name):
        """Train 24 runs."""
        trainer = SubsetTrainer(
            self.estimator, self.train, self.targets, random_state=0
        )
        return ratio(lambda: trainer.fit_transform(np.arange(N_RUNS)), self.loop)

    track_runs.unit = "times a loop's"


def make_mlp():
    """Return a network with one hidden layer."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


class Networks:
    """`TorchLearner` trains many small networks at once, against one by one."""

    def setup(self):
        """Load the images."""
        import torch

        torch.set_num_threads(1)
        self.train, self.targets = load_digits_examples(n_train=200)
        self.masks = sample_masks(N_RUNS, 200, 0.5, random_state=0).dense()

    def loop(self, epochs=5, batch_size=50):
        """Train as one would without this package."""
        import torch

        X = torch.tensor(self.train.X, dtype=torch.float32)
        y, loss = torch.tensor(self.train.y), torch.nn.CrossEntropyLoss()
        for seed, mask in enumerate(self.masks):
            torch.manual_seed(seed)
            model, subset = make_mlp(), torch.tensor(np.flatnonzero(mask))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            for _ in range(epochs):
                order = subset[torch.randperm(len(subset))]
                for batch in order.split(batch_size):
                    optimizer.zero_grad()
                    loss(model(X[batch]), y[batch]).backward()
                    optimizer.step()

    def track_runs(self):
        """Train 24 runs."""
        learner = TorchLearner(make_mlp, epochs=5, batch_size=50)
        trainer = SubsetTrainer(learner, self.train, self.targets, random_state=0)
        return ratio(
            lambda: trainer.fit_transform(np.arange(N_RUNS)), self.loop, rounds=3
        )

    track_runs.unit = "times a loop's"
