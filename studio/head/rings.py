"""MediaPipe landmark numbers by anatomy. "Right" is the head's own right, at negative x."""

# Lip rings run from the right corner to the left one: 11 landmarks, the corners shared by upper and lower.
UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_MIDDLE = ((76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306), (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292))
LOWER_MIDDLE = ((76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306), (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292))
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_LIP = (UPPER_OUTER, *UPPER_MIDDLE, UPPER_INNER)
LOWER_LIP = (LOWER_OUTER, *LOWER_MIDDLE, LOWER_INNER)
# The rim of the mouth opening as one loop of 20.
MOUTH_RIM = UPPER_INNER + LOWER_INNER[1:-1][::-1]

# Right eye, from the outer corner to the inner one.
EYE_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
EYE_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LID_CREASE = (None, 247, 30, 29, 27, 28, 56, 190, None)
LID_FOLD = (None, 113, 225, 224, 223, 222, 221, 189, None)
LID_BELOW = (None, None, 110, 24, 23, 22, 26, None, None)
EYE_RIM = EYE_UPPER + EYE_LOWER[1:-1][::-1]

# Right brow, from the outer end to the inner one.
BROW_UPPER = (70, 63, 105, 66, 107)
BROW_LOWER = (46, 53, 52, 65, 55)
BROW = BROW_UPPER + BROW_LOWER
NOSE = (1, 4, 5, 195, 197, 6, 168, 2, 98, 97, 129, 49, 48, 115)
JAW_LINE = (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234)
FOREHEAD = (10, 109, 67, 103, 54, 21, 162, 127)
NOSTRIL = (75, 60, 20, 238, 79, 166)
NOSTRIL_TRIANGLES = ((75, 166, 60), (166, 60, 20), (166, 20, 79), (79, 20, 238))
