"""A corpus that no person wrote, with the difficulties of real posts."""
