"""Scenes from photographs: captures, a differentiable splat rasterizer and its trainer."""
