"""What the workers run and the producer pushes; imported by their processes."""
