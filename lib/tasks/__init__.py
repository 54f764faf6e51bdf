"""What can be asked of a pair: a label, a span. Each with its targets, loss, decoding and scores."""
