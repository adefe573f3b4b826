"""Ways through latents and codes, and pictures of them."""
