"""Results: payload codec, store, reader and audit."""
