"""The command line, `tinker-ext`. Imports only click until a command runs."""
