"""Training data and results as protobuf (`openapi/tinker_public.proto`), the server's side."""
