"""The protobuf messages of the API: from the official wheel to a `.proto`, and on to bindings."""
