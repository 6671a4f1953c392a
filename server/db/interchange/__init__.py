"""Whole stores on their way in and out."""
