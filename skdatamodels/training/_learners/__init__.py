"""What trains a model on a subset, or many at once."""
