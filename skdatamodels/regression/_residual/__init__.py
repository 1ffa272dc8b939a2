"""The LASSO from masks: coordinate descent on the residuals."""
