"""Training data: trajectories through training homes, cut into clips, written as a data set and checked."""
