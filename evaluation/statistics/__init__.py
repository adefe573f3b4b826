"""What scores need of many images: moments, kept features, the real images' statistics."""
