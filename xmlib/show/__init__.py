"""What is seen of trainings and pairs: curves, items, the explorer."""
