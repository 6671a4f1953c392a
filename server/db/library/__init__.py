"""What ships with the server, as the database knows it."""
