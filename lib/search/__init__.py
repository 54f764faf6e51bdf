"""Stages A and B: how they search, the workers that run trials, and what is kept of a finished study."""
