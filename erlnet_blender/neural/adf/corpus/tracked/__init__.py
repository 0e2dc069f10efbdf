"""Recordings of real people with tracked faces become items of a corpus folder (docs/training/corpus.md).

The flow: `takes` (which files belong together) → `sequences` (what a tracker's file holds) → `faces` (the default
head's expressions, whoever's head it was) → `neutral` (what of it is articulation) → `importing` (items).
Beside it: `transcripts` (phone times, where somebody wrote them down), `hearing` (what only the sound tells).
"""
