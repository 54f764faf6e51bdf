"""Files that survive a crash: atomic writes, versioned documents, locks, content hashes."""
