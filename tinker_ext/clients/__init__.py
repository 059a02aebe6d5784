"""What users touch: thin clients that validate, submit and return a future."""
