"""SCALE: metadata in, compiled decoders and encoders out. Pure: bytes and values only."""
