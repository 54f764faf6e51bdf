"""What was searched and found, in MLflow: read from the result files, never in a training's way."""
