"""Annotated posts: read, checked, located, split, described, generated, and their TF-IDF statistics."""
