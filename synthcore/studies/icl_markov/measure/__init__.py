"""What is measured of a predictor (`evaluator`), and what is read from it (`scores`)."""
