"""Image-goal navigation."""
