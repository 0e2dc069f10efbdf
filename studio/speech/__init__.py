"""The synthesised speech corpus: recordings with known phone times, and rule-made face motion for them.

`python -m studio.speech -o build/corpus` writes it; `docs/training/corpus.md` describes its files.
"""
