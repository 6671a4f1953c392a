"""What keeps a database in order: backups and their restoration, checks, repairs, and what may go with time."""
