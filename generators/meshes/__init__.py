"""Meshes: out of splats, photographs, images and fields, and what an artist does to them afterwards."""
