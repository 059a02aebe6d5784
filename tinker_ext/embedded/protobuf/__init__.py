"""Training data and results as protobuf messages (`openapi/tinker_public.proto`)."""
