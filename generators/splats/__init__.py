"""Editing splat clouds: everything here takes finished clouds, or one picture, and gives clouds."""
