"""Homes of another distribution: other plans, textures, furniture and light than any home of training."""
