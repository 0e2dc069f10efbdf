"""How the default portrait frames a head: what the stage's camera and the avatar's capture share (no bpy)."""

# In rig space, metres: what the camera looks at, and from how far in front. Head and shoulders fill a square.
AIM_M = (0.0, -0.035, -0.03)
DISTANCE_M = 0.95
LENS_MM, SENSOR_MM = 85.0, 36.0
