"""Scores of predictions, as pure functions on arrays."""
