"""What a person may change: the configuration, the search space and the backbones, typed and checked."""
