"""Find the best transformer for clinical text."""
