"""Readers and writers of every untrusted or precious file; no bpy, no torch."""
