"""
What alpha lets a datamodel see
===============================

A run sees a fraction alpha of the training set. With a large alpha, common kinds of
examples are never missing: if one example is left out, others like it remain, so it
seems not to matter. With a small alpha, rare kinds of examples are nearly always
missing. So the best alpha depends on the size of the group whose effect you ask about.
"""

# %%
# Groups of known size
# --------------------
# We use a linear regression on binary features, with more features than examples. All
# examples that have a feature form a group; the features have five frequencies.

import numpy as np
from sklearn.linear_model import LinearRegression

from skdatamodels import Examples, SubsetTrainer

rng = np.random.default_rng(0)
frequency = np.repeat([0.02, 0.05, 0.1, 0.2, 0.4], 60)
X = (rng.random((200, len(frequency))) < frequency).astype(float)
y = X @ rng.normal(size=len(frequency)) + 0.1 * rng.normal(size=200)
train, targets = Examples(X[:100], y[:100]), Examples(X[100:], y[100:])
frequency = frequency[train.X.any(axis=0)]
groups = train.X.T[train.X.any(axis=0)] == 1

# %%
# What happens if a group is removed? We train without it to find out, and compare this
# with the predictions of datamodels at several alpha. They are fitted by least squares
# on 800 runs.

from skdatamodels.applications import predict_counterfactual

trainer = SubsetTrainer(
    LinearRegression(fit_intercept=False),
    train,
    targets,
    output="prediction",
    random_state=0,
)
everything = np.ones((1, len(train)), dtype=bool)
outputs = trainer.fit_transform(np.concatenate([everything, ~groups])).outputs
true = (outputs[1:] - outputs[0]).T

correlations = {}
for alpha in (0.2, 0.4, 0.6, 0.8, 0.95):
    runs = trainer.set_params(alpha=alpha).fit_transform(np.arange(800))
    weights = LinearRegression().fit(runs.masks, runs.outputs).coef_
    predicted = predict_counterfactual(weights, groups)
    correlations[alpha] = [
        np.corrcoef(*(part[:, frequency == f].ravel() for part in (predicted, true)))[
            0, 1
        ]
        for f in np.unique(frequency)
    ]

# %%
# The rarer the feature, the larger the alpha that predicts its effect best.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
table = np.array(list(correlations.values()))
for f, column, marker in zip(np.unique(frequency), table.T, "os^Dv", strict=True):
    (line,) = ax.plot(list(correlations), column, marker=marker, label=f"{f:.0%}")
    best = column.argmax()
    ax.plot(list(correlations)[best], column[best], "o", ms=14, mfc="none", color="k")
ax.set(xlabel="alpha", ylabel="Correlation of predicted and true effect")
ax.legend(title="examples with the feature\n(circle: the best alpha)", frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Digits
# ------
# The same holds on real data. How many training examples help, according to a
# datamodel? The number counts weights by size: k equal weights count as k.

from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=300)
targets = targets[:50]
trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)
for alpha in (0.1, 0.5, 0.9):
    runs = trainer.set_params(alpha=alpha).fit_transform(np.arange(1000))
    weights = DatamodelRegressor(random_state=0).fit(runs).coef_
    helps = np.maximum(weights, 0)
    number = helps.sum(axis=1) ** 2 / (helps**2).sum(axis=1)
    print(f"alpha {alpha}: {np.median(number):.0f} examples help a target")

# %%
# With a small alpha, much of a class shares the credit; with a large alpha, fewer
# examples carry it. There is no alpha that is right for everything: decide which
# removals you want to predict, and search over alpha with a score on those, as in
# :ref:`sphx_glr_auto_examples_plot_search_alpha_and_lam.py`.
