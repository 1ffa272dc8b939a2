"""LASSO by coordinate descent on the residuals of masks."""
