"""What moves: the trajectory optimiser, measured actions, motion metrics."""
