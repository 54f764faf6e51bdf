"""Optuna studies that many processes share: where they are kept, their samplers and pruners. Trains nothing."""
