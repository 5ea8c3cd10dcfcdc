"""Long proofs, run by `make chaos`; their figures go to docs/proof.json."""
