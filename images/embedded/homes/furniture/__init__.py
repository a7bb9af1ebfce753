"""Furniture by kind. Every builder draws one object (or a few) in a frame.

Pieces that stand against a wall have their back at z = 0 and look to +z; free-standing ones are centred.
"""
