"""The command line: `tinker-ext`. Only click is imported before a command runs."""
