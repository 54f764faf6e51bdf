"""The three stages: studies, selection, cross-validation, statistics."""
