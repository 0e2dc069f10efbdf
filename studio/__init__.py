"""What makes the things that ship, and judges them; not part of the extension."""
