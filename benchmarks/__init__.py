"""Figures of every hot path, each beside a limit or a peer measured in the same run."""
