"""Rotations over time as rotation vectors, whatever mode a bone is in; quaternions are (N, 4), w first (no bpy)."""

from __future__ import annotations

import numpy as np


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, 4) the rotation `first` after `second`."""
    w, v = first[:, :1], first[:, 1:]
    x, u = second[:, :1], second[:, 1:]
    return np.concatenate([w * x - (v * u).sum(1, keepdims=True), w * u + x * v + np.cross(v, u)], 1)


def inverse(rotations: np.ndarray) -> np.ndarray:
    """(N, 4) the rotations back."""
    return rotations * np.array([1.0, -1.0, -1.0, -1.0])


def unit(rotations: np.ndarray) -> np.ndarray:
    """(N, 4) of length 1; those without any length are no rotation."""
    lengths = np.linalg.norm(rotations, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, rotations / np.maximum(lengths, 1e-9), [1.0, 0.0, 0.0, 0.0])


def continuous(rotations: np.ndarray) -> np.ndarray:
    """(N, 4) each of the two signs that is nearer to the one before."""
    turns = np.sign((rotations[1:] * rotations[:-1]).sum(1))
    signs = np.cumprod(np.concatenate([[1.0], np.where(turns < 0, -1.0, 1.0)]))
    return rotations * signs[:, None]


def of_vectors(vectors: np.ndarray) -> np.ndarray:
    """(N, 4) quaternions of (N, 3) rotation vectors, radians."""
    angles = np.linalg.norm(vectors, axis=1, keepdims=True)
    half_sinc = 0.5 * np.sinc(angles / (2 * np.pi))
    return np.concatenate([np.cos(angles / 2), half_sinc * vectors], 1)


def vectors_of(rotations: np.ndarray) -> np.ndarray:
    """(N, 3) rotation vectors, radians, of quaternions; without jumps as long as they turn less than a whole turn."""
    rotations = continuous(unit(rotations))
    if len(rotations) and rotations[0, 0] < 0:
        rotations = -rotations
    sines = np.linalg.norm(rotations[:, 1:], axis=1, keepdims=True)
    angles = 2 * np.arctan2(sines, rotations[:, :1])
    return rotations[:, 1:] * np.where(sines > 1e-9, angles / np.maximum(sines, 1e-9), 2.0)


def of_euler(angles: np.ndarray, order: str) -> np.ndarray:
    """(N, 4) quaternions of (N, 3) angles about x, y and z, turned in Blender's `order`, e.g. XYZ: x first."""
    result = np.tile([1.0, 0.0, 0.0, 0.0], (len(angles), 1))
    for name in order:
        axis = "XYZ".index(name)
        turn = np.zeros((len(angles), 3))
        turn[:, axis] = angles[:, axis]
        result = product(of_vectors(turn), result)
    return result


def of_axis_angles(values: np.ndarray) -> np.ndarray:
    """(N, 4) quaternions of Blender's (N, 4) angle and axis; an axis without length is no rotation."""
    lengths = np.linalg.norm(values[:, 1:], axis=1, keepdims=True)
    return of_vectors(values[:, :1] * values[:, 1:] / np.maximum(lengths, 1e-9))
