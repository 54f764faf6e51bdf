"""Text augmentation by methods of libraries, which run before training and are kept as edits in a bank."""
