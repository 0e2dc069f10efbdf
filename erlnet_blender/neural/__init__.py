"""Everything that computes with torch; never imports bpy."""
