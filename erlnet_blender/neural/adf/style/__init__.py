"""Styles: a code of 128, made of 28 explicit factors (`factors`) and a learnt residual of 100. Neutral is zero.

`presets` gives codes by name, `measured` takes them from motion, `rules` says what a style does to neutral motion,
`catalogue` has the styles that are trained on and tested with.
"""
