"""What the numbers mean: measures, dimensions and metrics over the models, checked when they are loaded."""
