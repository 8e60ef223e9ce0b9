"""Training SAEs with sae-lens. The only package besides eval/ that imports sae_lens."""
