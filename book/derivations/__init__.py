"""What the notebooks on gradients check: adjoints, routes to the gradient, the released recipes; and how."""
