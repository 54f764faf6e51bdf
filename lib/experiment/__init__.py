"""One agent's trainings: its splits, its finished runs, and a training from settings to scores."""
