"""The reports, with their tables and figures."""
