"""The parts that the chapter's figures share: colours and names of axes."""

ADAM, FLOW, SLOW = "#222222", "#2563b0", "#cf7d00"  # Adam, second order, first order
STABLE, WEDGE, UNSTABLE = "#13a07f", "#d9a400", "#a01830"
WITH, WITHOUT = "#2563b0", "#a01830"  # normalised, not normalised
STEP = "step"
UPDATE = "largest update |u| [learning rates]"
ANGLE = "angular step [rad]"
