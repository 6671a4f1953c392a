"""Who waits for whom, and whether it still has to."""
