"""What fine-tuning changes: networks with known capabilities are tuned, opened and trained back."""

TITLE = "What fine-tuning changes"
PAPER = (
    "Jain, Kirk, Lubana, Dick, Tanaka, Grefenstette, Rocktäschel and Krueger, "
    "*Mechanistically Analyzing the Effects of Fine-Tuning on Procedurally Defined Tasks*, "
    "ICLR 2024, [arXiv:2311.12786](https://arxiv.org/abs/2311.12786)"
)
QUESTION = (
    "When fine-tuning takes a capability away, is it gone, or does something small stand in front "
    "of it?"
)
