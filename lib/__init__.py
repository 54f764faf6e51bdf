"""Find the best transformer for clinical text: corpus, models, training, search and reporting."""
