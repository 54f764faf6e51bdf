"""The tasks, label and span, each with its targets, loss, decoding and scores."""
