"""The ledger: evidence about work, and how much it cost."""
