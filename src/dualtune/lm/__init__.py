"""Everything that knows torch: models, encoding, trie packing, loss, training."""
