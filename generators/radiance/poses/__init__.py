"""Camera poses from photographs alone: features, matches and a map by COLMAP, in a process of its own."""
