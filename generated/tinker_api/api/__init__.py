# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""Contains methods for accessing the API"""
