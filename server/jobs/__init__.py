"""What a server does besides answering calls."""
