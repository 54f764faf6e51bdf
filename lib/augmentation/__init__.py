"""Text augmentation: the libraries' methods, run ahead of training and kept as edits in a bank."""
