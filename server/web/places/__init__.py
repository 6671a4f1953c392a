"""Where a server listens, what it is called there, and what a data root keeps of that."""
