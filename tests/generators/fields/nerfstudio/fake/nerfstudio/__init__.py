"""A stand-in for nerfstudio 1.1: takes its command lines, says its lines, leaves its files, trains nothing."""
