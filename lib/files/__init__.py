"""Write files that survive a crash, read JSON, lock and hash files."""
