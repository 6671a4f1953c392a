"""All tables at once: whether they agree with one another, and what in them has outlived its time."""
