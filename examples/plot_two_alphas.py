"""
Redundant rows, and rows that need each other
=============================================

The weight of a row depends on how many of the others are there. A row with copies
matters while these are missing; rows that are only enough together matter while the
others are there. So runs at several values of alpha tell one kind from the other.
"""

# %%
# A vote of five neighbours
# -------------------------
# The training set has 120 images of the digits 0 and 1, and only three of the digit 8,
# which are alike. A vote of five neighbours finds an 8 if all three are there: each is
# useless without the other two. The target is another image like them.
#
# Small subsets may miss a class. With ``unseen_class="floor"`` their outputs are low
# instead of missing: leaving such subsets out would change the weights at small alpha.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import compare_alphas
from skdatamodels.plotting import AlphaDisplay

warnings.filterwarnings("ignore", ".*saw no example of a class")
X, y = load_digits(return_X_y=True)
X = X / 16
rng = np.random.default_rng(0)
rare = X[y == 8][:1] + 0.1 * rng.normal(size=(4, 64))
common = np.flatnonzero((y == 0) | (y == 1))[:120]
train = Examples(np.vstack([rare[:3], X[common]]), np.r_[[8] * 3, y[common]])
targets = Examples(rare[3:], [8])

alphas = (0.2, 0.5, 0.8)
trainer = SubsetTrainer(
    KNeighborsClassifier(5),
    train,
    targets,
    output="correctness",
    unseen_class="floor",
    alpha=alphas,
    design="bernoulli",
    random_state=0,
)
runs = trainer.fit_transform(np.arange(900))
comparison = compare_alphas(runs, alpha=np.resize(alphas, len(runs)))
comparison

# %%
# The trends of the three rows: 1 means that they work with others.

print(comparison.trends(fdr=0.1)[0, :3])

# %%
# The same rows, another learner
# ------------------------------
# Whether rows need each other depends on the learner. In a logistic regression, one 8
# is enough to raise the margin of another, and the next ones add less and less. So rare
# rows are not always rows that work with others.

trainer.set_params(estimator=LogisticRegression(), output="margin")
runs = trainer.fit_transform(np.arange(900))
logistic = compare_alphas(runs, alpha=np.resize(alphas, len(runs)))

# %%
# Points are weights at each alpha, and the area below a curve is the Shapley value. In
# the vote, weights grow about as the square of alpha, the probability that both others
# are there. In the logistic regression they fall.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for ax, found, title in zip(
    axes, (comparison, logistic), ("vote of five", "logistic regression"), strict=True
):
    AlphaDisplay.from_comparison(found, [0, 1, 2], ax=ax)
    ax.set_title(title)

# %%
# Digits
# ------
# In 200 real images, for 50 targets of a logistic regression: how many weights shrink,
# how many grow, and do they in other runs?

train, targets = load_digits_examples(n_train=200)
found = []
for seed in (0, 1):
    trainer = SubsetTrainer(
        LogisticRegression(),
        train,
        targets[:50],
        alpha=alphas,
        design="bernoulli",
        unseen_class="floor",
        random_state=seed,
    )
    runs = trainer.fit_transform(np.arange(900))
    found.append(compare_alphas(runs, alpha=np.resize(alphas, len(runs))).trends())
first, second = found
print(f"shrink: {(first < 0).sum()}, grow: {(first > 0).sum()} of {first.size}")
both = (first != 0) & (second != 0)
print(f"decided in both: {both.sum()}, differently: {(first != second)[both].sum()}")
plt.show()
