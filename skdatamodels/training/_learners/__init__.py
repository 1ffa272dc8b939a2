"""Learners, which train a model on a subset, or many models together."""
