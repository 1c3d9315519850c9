"""One file a format: encode, decode, and the FORMAT row that registers them."""
