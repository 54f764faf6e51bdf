"""The JSON documents that processes hand each other. No torch and no Optuna: reading one is quick."""
