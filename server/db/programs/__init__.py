"""Programs, the plans in them, and their risks."""
