# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""Contains endpoint functions for accessing the API"""
