"""What a human has to confirm: gates, what waits for an answer, and the answers."""
