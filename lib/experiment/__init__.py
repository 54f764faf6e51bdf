"""Train the models of one agent, split its examples and store its finished runs."""
