"""Scores: parts that compare imagined views with the goal view."""
