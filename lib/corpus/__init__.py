"""Read, check, split and describe the corpus of annotated posts."""
