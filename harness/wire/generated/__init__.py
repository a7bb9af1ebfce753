"""Code that protoc wrote from ../wiw.proto; docs/wire.md has the command. Never edited by hand."""
