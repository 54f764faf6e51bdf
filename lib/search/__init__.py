"""Search in Stages A and B, and collect the results of a finished study."""
