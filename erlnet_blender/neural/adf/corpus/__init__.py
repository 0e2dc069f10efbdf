"""Training material: corpus folders, and what augmentation makes of them."""
