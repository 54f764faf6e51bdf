"""The corpus of annotated posts: reading, checking, splitting, describing and generating it."""
