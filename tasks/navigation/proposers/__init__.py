"""Proposers: parts that name the candidates of a decision."""
