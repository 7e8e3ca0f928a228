"""The loops: walkers of a rank, training, evaluation."""
