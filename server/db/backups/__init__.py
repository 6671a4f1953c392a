"""Copies of the database: what one holds, and how it takes the place of the database."""
