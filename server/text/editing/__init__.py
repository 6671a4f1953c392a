"""Files of others, edited in place: what is ours goes in or out, and every other byte stays."""
