"""What happened, what was deleted, and how it comes back."""
