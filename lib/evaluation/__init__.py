"""Stage C, the baselines, and the final model: refitted, saved, scored once on the test set, used on new posts."""
