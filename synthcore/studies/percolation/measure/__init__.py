"""What is measured: sentences, networks at a checkpoint, times and exponents of curves."""
