"""Reading an official wheel: source text, type annotations, HTTP calls, protobuf messages."""
