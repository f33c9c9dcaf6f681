"""What users write, and how it is read and run: models, their options, their contexts."""
