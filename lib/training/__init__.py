"""The engine: tokens, batches, optimizers, the loop."""
