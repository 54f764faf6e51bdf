"""Files that survive a crash: atomic writes, JSON, locks and content hashes."""
