"""Furniture of the other distribution: no builder is shared with the homes of training."""
