"""Plans, their phases and notes, as a whole, copied, and in the archive."""
