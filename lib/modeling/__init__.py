"""Everything with weights: backbones as files, pooling, heads and models, with their tokens."""
