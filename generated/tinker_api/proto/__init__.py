# Do not edit. Made by `make generate` from openapi/tinker_public.proto.
