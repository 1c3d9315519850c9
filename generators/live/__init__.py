"""Generators that answer frames while the artist works, and what runs them in a worker."""
