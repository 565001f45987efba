"""What notebooks show: figures and summaries of runs."""
