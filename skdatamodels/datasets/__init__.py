"""Small data sets: real ones that scikit-learn ships, and generated runs."""

from skdatamodels.datasets.digits import load_digits_examples
from skdatamodels.datasets.linear_runs import make_linear_runs

__all__ = ["load_digits_examples", "make_linear_runs"]
