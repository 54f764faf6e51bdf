"""Optuna studies that many processes share: storage, samplers and pruners. Nothing here trains a model."""
