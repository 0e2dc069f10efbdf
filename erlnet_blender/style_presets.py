"""Styles, emotions and parts of the face under the names that people read (standard library only).

What styles and emotions do to the motion is in `neural/adf/style/presets.py`, which a test holds to these names.
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

EMOTIONS = (
    ("neutral", "Neutral", "No emotion on top of the style"),
    ("happy", "Happy", "Smiling, cheeks raised"),
    ("sad", "Sad", "Inner brows up, corners of the mouth down"),
    ("angry", "Angry", "Brows down, eyes narrow"),
    ("surprised", "Surprised", "Brows high, eyes wide"),
    ("fearful", "Fearful", "Brows up and together, eyes wide, lips drawn wide"),
    ("disgusted", "Disgusted", "Nose wrinkled, upper lip raised"),
)
INTENSITIES = {"slight": 0.4, "medium": 0.7, "strong": 1.0}

PARTS = (
    ("mouth", "Mouth", "Jaw, lips, tongue, cheeks"),
    ("brows", "Brows", "Brows, and how far the eyes are narrowed or widened"),
    ("blinks", "Blinks", "Eyelids that blink"),
    ("gaze", "Gaze", "Eyes that hold the viewer and look about"),
    ("head", "Head", "Nods and turns of the head"),
)
