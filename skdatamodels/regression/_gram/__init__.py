"""LASSO by coordinate descent on the Gram matrix."""
