"""Face motion from phones by dominance functions: Cohen & Massaro, "Modeling coarticulation in synthetic visual
speech", 1993.

Every phone has a target for each channel and a dominance, a negative exponential of the distance from its middle
(their eq. 1 with exponent 1.15); the channel is the mean of the targets weighted by their dominances (eq. 2).
Contacts (lips sealed, lip under teeth, tongue) are not blended: they are imposed with smooth ramps, since a contact
that is only half made is none.
"""

from __future__ import annotations

import numpy as np

from erlnet_blender.neural.adf.articulation import ARTICULATION, CONTACTS, PHONE_CLASSES, SHAPES
from erlnet_blender.neural.adf.corpus.tracked.transcripts import CLASS_OF_LETTER

from .articulatory_targets import CONSONANTS, VOWELS
from .phones import SILENCE, closure_interval
from .spoken import Phone

RATE_HZ = 100
_EXPONENT = 1.15
_WIDTH_SHARE = 0.30
_JAW_WIDTH_S, _LIP_WIDTH_S = 0.028, 0.042
_ROUNDING_AHEAD = 1.35  # lips round earlier than they let go
_PAUSE_SHARPNESS_S = 0.045
_REST_DOMINANCE = 1e-4
# Seconds to make and to release each contact.
_RAMPS_S = {
    "closure": (0.06, 0.05),
    "lip_tuck": (0.07, 0.06),
    "tongue_up": (0.05, 0.05),
    "tongue_out": (0.06, 0.05),
    "tongue_back": (0.05, 0.05),
}


def frame_times_s(duration_s: float) -> np.ndarray:
    """Middles of the frames at `RATE_HZ` that cover a duration."""
    return (np.arange(max(1, round(duration_s * RATE_HZ))) + 0.5) / RATE_HZ


def phone_classes(phones: list[Phone], duration_s: float) -> np.ndarray:
    """(N,) int8 index into PHONE_CLASSES at `RATE_HZ`; unknown letters and pauses are silence."""
    times_s = frame_times_s(duration_s)
    classes = np.zeros(len(times_s), np.int8)
    for phone in phones:
        name = CLASS_OF_LETTER.get(phone.symbol, "sil")
        classes[(times_s >= phone.start_s) & (times_s < phone.end_s)] = PHONE_CLASSES.index(name)
    return classes


def articulation(phones: list[Phone], duration_s: float) -> np.ndarray:
    """(N, len(ARTICULATION)) float32 channels at `RATE_HZ` for phones in order; rest is 0 everywhere."""
    times_s = frame_times_s(duration_s)
    blended = _blend(_with_pauses_at_ends(phones, duration_s), times_s)
    contacts = {name: np.zeros(len(times_s)) for name in CONTACTS}
    for phone in phones:
        for name in CONTACTS:
            strength = _target(phone, name)
            if strength >= 0.5:
                start_s, end_s = _contact_interval(phone, name)
                contacts[name] = np.maximum(
                    contacts[name], strength * _ramped(times_s, start_s, end_s, *_RAMPS_S[name])
                )
    channels = {**blended, **contacts}
    channels["jaw"] = channels["jaw"] * (1 - 0.55 * channels["closure"]) * (1 - 0.4 * channels["lip_tuck"])
    channels["stretch"] = channels["stretch"] * (1 - 0.3 * channels["closure"])
    return np.stack([channels[name] for name in ARTICULATION], 1).astype(np.float32)


def _contact_interval(phone: Phone, contact: str) -> tuple[float, float]:
    if contact == "closure":
        return closure_interval(phone)
    if contact == "lip_tuck":
        return phone.start_s + 0.01, phone.end_s - 0.01
    return phone.start_s, phone.end_s


def _target(phone: Phone, channel: str) -> float:
    if phone.symbol in VOWELS:
        return VOWELS[phone.symbol].get(channel, 0.0)
    return CONSONANTS[phone.symbol].targets.get(channel, 0.0) if phone.symbol in CONSONANTS else 0.0


def _dominance(phone: Phone, channel: str) -> float:
    if phone.symbol in VOWELS:
        return 0.7 + 0.3 * min(1.0, phone.duration_s / 0.12)
    consonant = CONSONANTS[phone.symbol]
    return consonant.jaw_dominance if channel == "jaw" else consonant.lip_dominance


def _with_pauses_at_ends(phones: list[Phone], duration_s: float) -> list[Phone]:
    if not phones:
        return [Phone(0.0, duration_s, SILENCE)]
    first, last = phones[0].start_s, phones[-1].end_s
    before = [Phone(0.0, first, SILENCE)] if first > 0.05 else []
    after = [Phone(last, duration_s, SILENCE)] if last < duration_s - 0.05 else []
    return [*before, *phones, *after]


def _blend(phones: list[Phone], times_s: np.ndarray) -> dict[str, np.ndarray]:
    weighted = {name: np.zeros(len(times_s)) for name in SHAPES}
    total = {name: np.full(len(times_s), _REST_DOMINANCE) for name in SHAPES}
    for phone in phones:
        if phone.symbol == SILENCE:
            # A pause pulls to rest all along its length, not from its middle; short ones pull half as much.
            outside_s = np.maximum(0, np.maximum(phone.start_s + 0.04 - times_s, times_s - (phone.end_s - 0.06)))
            pull = (0.5 if phone.duration_s < 0.15 else 1.0) * np.exp(-outside_s / _PAUSE_SHARPNESS_S)
            for name in SHAPES:
                total[name] += pull
            continue
        middle_s, duration_s = (phone.start_s + phone.end_s) / 2, max(phone.duration_s, 0.02)
        for name in SHAPES:
            width_s = _WIDTH_SHARE * duration_s + (_JAW_WIDTH_S if name == "jaw" else _LIP_WIDTH_S)
            widths_s = (
                np.where(times_s < middle_s, width_s * _ROUNDING_AHEAD, width_s)
                if name in ("pucker", "funnel")
                else width_s
            )
            pull = _dominance(phone, name) * np.exp(-((np.abs(times_s - middle_s) / widths_s) ** _EXPONENT))
            weighted[name] += pull * _target(phone, name)
            total[name] += pull
    return {name: weighted[name] / total[name] for name in SHAPES}


def _ramped(times_s: np.ndarray, start_s: float, end_s: float, attack_s: float, release_s: float) -> np.ndarray:
    """1 on [start, end], smooth ramps (3x² - 2x³) to 0 outside."""
    rise = np.clip(1 - (start_s - times_s) / attack_s, 0, 1)
    fall = np.clip(1 - (times_s - end_s) / release_s, 0, 1)
    height = np.minimum(rise, fall)
    return height * height * (3 - 2 * height)
