"""Build models from backbones, pooling and heads, and the tokens that they read."""
