"""Types that users build: datums, prompts, parameters."""
