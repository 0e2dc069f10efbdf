"""The speaking styles that come with the add-on, as Blender lists them (standard library only).

What each does to the motion is in `neural/adf/style/presets.py`, which a test holds to these names.
"""

# name, label, tooltip
STYLE_PRESETS = (
    ("neutral", "Neutral", "An even, friendly delivery"),
    ("happy", "Happy", "Smiling, brows up, lively"),
    ("sad", "Sad", "Corners of the mouth down, slow, head low"),
    ("angry", "Angry", "Brows down, tense lips, hard accents"),
    ("energetic", "Energetic", "Wide mouth and a lot of head motion"),
    ("calm", "Calm", "Small mouth and hardly any head motion"),
    ("surprised", "Surprised", "Brows high, eyes and mouth wide"),
    ("serious", "Serious", "No smile, still brows, few head motions"),
    ("fearful", "Fearful", "Brows up and drawn, eyes wide, lips stretched, a restless gaze"),
    ("disgusted", "Disgusted", "Nose wrinkled, upper lip raised, head turned away a little"),
)
