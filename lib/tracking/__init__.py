"""Tracking with MLflow, which reads the result files and never interferes with a training."""
