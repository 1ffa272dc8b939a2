"""
How many runs are enough?
=========================

Each run is a training. Before you pay for thousands, collect a few hundred and look
at where the learning curve is heading.
"""

# %%
# We collect 400 runs of a kernel machine on 200 digits. How many runs would an LDS of
# 0.77 take?

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from skdatamodels import SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.judging import plan_runs

train, targets = load_digits_examples(n_train=200)
targets = targets[:60]
learner = make_pipeline(Nystroem(gamma=0.1, n_components=60), RidgeClassifier(0.1))
trainer = SubsetTrainer(learner, train, targets, random_state=0)
few = trainer.fit_transform(np.arange(400))

plan_runs(few, wanted=0.77, random_state=0)

# %%
# The far end is uncertain. If we train a hundred of the subsets again, we get the noise
# ceiling, which no datamodel can exceed.

again = trainer.transform(few.packed[:100]).outputs
repeats = np.stack([few.outputs[:100], again])
plan = plan_runs(few, wanted=0.77, repeats=repeats, random_state=0)
plan

# %%
# Was the prediction right? Here the runs are cheap enough to check.

from skdatamodels import DatamodelRegressor
from skdatamodels.metrics import lds_interval
from skdatamodels.plotting import LDSCurveDisplay

runs = trainer.transform(np.arange(1600))
judging = runs[1400:]
sizes = [100, 200, 400, 800, 1400]
came = []
for size in sizes:
    predicted = DatamodelRegressor(random_state=0).fit(runs[:size]).predict(judging)
    came.append(lds_interval(judging.outputs, predicted, random_state=0).score)
LDSCurveDisplay.from_predictions(
    sizes,
    {"foreseen from 400 runs": plan.predict(sizes), "came": came},
    ceiling=plan.ceiling,
)
