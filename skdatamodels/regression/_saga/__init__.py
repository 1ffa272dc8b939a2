"""The LASSO from masks: SAGA, which streams over the runs."""
