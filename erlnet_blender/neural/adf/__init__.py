"""ADF, audio-driven FLAME: content audio and a style become a FaceTrack.

The flow: `features` (log-mel) → `network` (articulation, phones, accents) → `closure` (which lip closures to believe)
→ `network` again (style) → `behaviour` (head, blinks, gaze) → `articulation` (named expressions, jaw); `predictor` is
the whole of it. Beside the flow: `style` (codes), `corpus` and `training` (where weights come from), `evaluation`.
"""
