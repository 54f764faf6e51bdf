"""Share Optuna studies between processes, with their storage, samplers and pruners. Nothing here trains a model."""
