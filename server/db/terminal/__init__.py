"""What agents may run, and what was run."""
