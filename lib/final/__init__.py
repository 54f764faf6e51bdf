"""The final model: the winner of Stage C refitted, saved, judged once on the test set, and used on new posts."""
