"""What is measured of a text: outcome counts, hazards, the analysis of any model, its report."""
