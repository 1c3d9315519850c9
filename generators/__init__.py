"""All that computes: declarations, the worker process and the generators themselves."""
