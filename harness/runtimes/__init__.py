"""Runtimes: start any declared service, and leave nothing behind."""
