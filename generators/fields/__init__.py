"""Radiance fields: trained from photographs, kept as sparse bricks, rendered on demand."""
