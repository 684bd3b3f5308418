"""What several explorers use: drawing, charts, and networks on their way to and in the browser."""
