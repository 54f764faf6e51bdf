"""Stage C, the baselines and the final model, which is refitted, saved, scored once on the test set, and used."""
