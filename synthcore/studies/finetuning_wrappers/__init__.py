"""What fine-tuning changes: capabilities known by construction, wrapped, opened up and revived."""
