"""What tasks of a body that walks and turns share: its proposers, its odometry and memory, and true distances."""
