"""Scores of predictions: pure functions on arrays."""
