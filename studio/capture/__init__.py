"""Pictures of the default head, rendered with Cycles: what the default avatar is trained on."""
