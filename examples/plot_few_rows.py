"""
A few rows that matter
======================

Five training examples look suspicious. Do they change what the model says? Ordinary
runs spread over all rows. Runs that vary only these five answer more exactly.
"""

# %%
# The question
# ------------
# A model recognises digits. Somebody doubts the labels of five images, and is right: we
# label these as the next digit.

import numpy as np
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import infer_varied, infer_weights
from skdatamodels.runs import aggregate_targets

train, targets = load_digits_examples(n_train=300)
doubtful = [20, 75, 130, 190, 255]
labels = train.y.copy()
labels[doubtful] = (labels[doubtful] + 1) % 10
train = Examples(train.X, labels)
trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)

# %%
# Ordinary runs
# -------------
# The output is the mean margin of all targets. A hundred runs give a weight of each
# row, with a standard error.

runs = aggregate_targets(trainer.fit_transform(np.arange(100)))
ordinary = infer_weights(DatamodelRegressor(random_state=0).fit(runs), runs)

# %%
# Runs that vary five rows
# ------------------------
# With ``vary``, two runs share the subset of the other rows, and each of the five is in
# one of the two. What they share cancels in the difference. Again we train a hundred
# models.

trainer.set_params(vary=doubtful)
varied = infer_varied(aggregate_targets(trainer.fit_transform(np.arange(100))))
varied

# %%
# All five are harmful. The intervals of the pairs are a quarter as long as those of the
# ordinary runs, and tell how harmful each row is.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(layout="constrained")
for shift, name, inference, columns in (
    (-0.1, "100 ordinary runs", ordinary, doubtful),
    (0.1, "100 runs that vary these five", varied, range(5)),
):
    low, high = inference.interval(0.95)[0, list(columns)].T
    ax.errorbar(
        np.arange(5) + shift,
        (low + high) / 2,
        (high - low) / 2,
        fmt="o",
        capsize=4,
        label=name,
    )
ax.axhline(0, color="gray", linewidth=1)
ax.set_xticks(range(5), doubtful)
ax.set(xlabel="training example", ylabel="weight for the mean margin (log-odds)")
ax.legend()
plt.show()

# %%
# The user guide has the gains for other learners: :ref:`a_few_rows`.
