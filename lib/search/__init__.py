"""Stages A and B of the search: strategies, the workers that run trials, and the results of a finished study."""
