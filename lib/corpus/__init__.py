"""Read, check, split, describe and generate the corpus of annotated posts."""
