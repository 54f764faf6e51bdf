"""The training of one model, from its features and batches to its optimizer and the loop over epochs."""
