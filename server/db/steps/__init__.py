"""Steps, who claims them, who works on them, and what hangs on them."""
