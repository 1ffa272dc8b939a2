"""
Two learners, one training set
==============================

Two learners with nearly the same accuracy may be right for other reasons. Their weights
tell what one gets from the training set, and the other does not.
"""

# %%
# A shortcut that one of them cannot see
# --------------------------------------
# Some images of digits carry a bright pixel in the corner. In the training set, most
# of these are zeros. Learner A sees whole images. Learner B is trained without the
# margin of the image, as by an augmentation that crops it.

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import compare_learners
from skdatamodels.datasets import load_digits_examples
from skdatamodels.plotting import ComponentDisplay

train, targets = load_digits_examples(n_train=500)
targets = targets[:200]
rng = np.random.default_rng(0)


def mark(examples, share_of_zeros, share_of_others):
    """Mark some of the images; return the examples, and which are marked."""
    X = np.array(examples.X)
    share = np.where(examples.y == 0, share_of_zeros, share_of_others)
    marked = rng.random(len(X)) < share
    X[marked, 7] = 1  # the corner at the top right, as bright as any ink
    return Examples(X, examples.y), marked


def crop(X):
    """Return images without their margin."""
    return X.reshape(-1, 8, 8)[:, 1:-1, 1:-1].reshape(len(X), -1)


train, marked = mark(train, 0.8, 0.02)
targets, marked_targets = mark(targets, 0.5, 0.5)
learners = {
    "A": RidgeClassifier(10.0),
    "B": make_pipeline(FunctionTransformer(crop), RidgeClassifier(10.0)),
}
trainers = {
    name: SubsetTrainer(learner, train, targets, random_state=0)
    for name, learner in learners.items()
}
for name, learner in learners.items():
    score = learner.fit(train.X, train.y).score(targets.X, targets.y)
    print(f"accuracy of {name}: {score:.3f}")

# %%
# What only A uses
# ----------------
# Both learners are trained on the same subsets. The comparison takes the weights of A
# without what they share with those of B for the same target, and finds the directions
# in which they are large.

weights = {
    name: DatamodelRegressor(penalty="l2", random_state=0)
    .fit(trainer.fit_transform(np.arange(500)))
    .coef_
    for name, trainer in trainers.items()
}
comparison = compare_learners(
    weights["A"], weights["B"], train=train, targets=targets, n_components=2
)
comparison

# %%
# The first direction has more than 20 times as much of A's weights as of B's. One end
# has the marked zeros, which make A say zero; the other has marked images of other
# digits, which keep it from that. Few images are marked, but most of those at the ends.

order = np.argsort(comparison.components[0])
for end, rows in (("negative", order[:10]), ("positive", order[-10:])):
    print(f"{end} end: {marked[rows].mean():.0%} marked, of classes {train.y[rows]}")
print(f"all: {marked.mean():.0%} marked")

# %%
# So are the targets: those on the left, if the mark is wrong for them, and the zeros on
# the right.

ComponentDisplay.from_predictions(
    comparison.coordinates, targets, components=[0], image_shape=(8, 8)
)

# %%
# Does it matter to A, and not to B?
# ----------------------------------
# We remove the training examples at the ends of the direction, and train both learners
# again. The outputs of the targets at the same end change for A, and less for B. In the
# negative row, B misses 40 zeros, marked or not.

effects_a, effects_b = comparison.effects(
    trainers["A"],
    trainers["B"],
    n_removed=40,
    n_trials=1,
    n_control_trials=1,
)
print(effects_a)
print(effects_b)
