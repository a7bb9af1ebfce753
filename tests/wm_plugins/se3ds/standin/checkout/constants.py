"""Stands for the official constants."""
