"""The output: bindings, reports, protobuf and OpenAPI 3.0."""
