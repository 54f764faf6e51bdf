"""The configuration, the search space and the backbones, typed and checked."""
