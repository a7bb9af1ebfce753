"""Manipulation on a table."""
