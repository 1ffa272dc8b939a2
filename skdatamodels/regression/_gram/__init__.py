"""The LASSO from covariances: coordinate descent on the Gram matrix."""
