"""
Train until it is enough
========================

How many runs you need depends on the data, the learner and the targets. Instead of
choosing a number, name a goal.
"""

# %%
# A kernel machine on 200 digits. We want an LDS of 0.7, and half of the intervals of
# weights to be shorter than 0.1.

from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from skdatamodels import SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.judging import collect_runs

train, targets = load_digits_examples(n_train=200)
learner = make_pipeline(Nystroem(gamma=0.1, n_components=60), RidgeClassifier(0.1))
trainer = SubsetTrainer(learner, train, targets[:40], random_state=0)
until = {"lds": 0.7, "interval_width": 0.1}
collected = collect_runs(trainer, until, max_runs=2000, random_state=0)
collected

# %%
# The score counts by its lower bound. The bound allows for the number of looks, for
# otherwise one of many looks would reach the goal by chance.

import matplotlib.pyplot as plt

history = collected.history
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.plot(history["n_runs"], history["lds"], "o-", label="estimate")
left.plot(history["n_runs"], history["lds_bound"], "v--", label="lower bound")
left.set(ylabel="LDS")
right.plot(history["n_runs"], history["interval_width"], "o-", label="median")
right.set(ylabel="median width of 95 % intervals")
for ax, wanted in zip((left, right), until.values(), strict=True):
    ax.axhline(wanted, color="grey", linestyle=":", label="wanted")
    ax.set(xlabel="runs", xlim=(90, 360))
    ax.legend()

# %%
# Is it true? Here runs are cheap, and the same trainer makes fresh ones.

import numpy as np

from skdatamodels.metrics import linear_datamodeling_score

fresh = trainer.transform(np.arange(5000, 5500))
linear_datamodeling_score(fresh.outputs, collected.model.predict(fresh))

# %%
# A goal that is out of reach is given up early, with the reason.

collect_runs(trainer, {"lds": 0.95}, max_runs=500, random_state=0, verbose=0)
