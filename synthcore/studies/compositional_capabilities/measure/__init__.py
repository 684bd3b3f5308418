"""What is measured: right answers and mistakes, and what a network holds and needs inside."""
