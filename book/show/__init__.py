"""What notebooks and pages of the book show: figures, drawings as files, tables of runs, quantities in words."""
