"""ADF, audio-driven FLAME: content audio and a style become a FaceTrack.

The flow: `features` (log-mel) → `network` (articulation, phones, accents) → `closure` (which lip closures to believe)
→ `network` again (style decoder) → `head_motion` (head, blinks, gaze) → `articulation` (named expressions, jaw).
"""
