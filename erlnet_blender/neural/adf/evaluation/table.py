"""The tables of docs/adf.md from what ``erlnet evaluate speech --json`` printed.

``python -m erlnet_blender.neural.adf.evaluation.table docs/adf.md FIGURES.json ... --first FIRST_MODEL.json ...``
writes them between the marks of the document; nothing else of it is touched. Several files, one for each run of some
parts of the evaluation, count as one.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from ....errors import ErlnetError
from ....formats.atomic import write_bytes

BEGIN, END = "<!-- figures: made by evaluation/table.py -->", "<!-- end of figures -->"
SLT = "voices.flite-slt."
_NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """A line of the table: where its figure lies in the JSON, what is wanted, how it is written, what it means."""

    title: str
    path: str
    wanted: str
    form: str
    meaning: str


ROWS = (
    Row("closure recall, slt", SLT + "closure_recall", "≥ .95", ".3f",
        "share of the m, b, p closures in or within 40 ms of which the lips are sealed (channel above ½)"),
    Row("false closures, slt", SLT + "closure_false", "≤ .08", ".3f",
        "share of the sealed stretches that lie within 40 ms of no such closure"),
    Row("f/v recall, slt", SLT + "fv_recall", "≥ .9", ".3f", "as closure recall, for the lower lip at the teeth"),
    Row("mouth correlation, slt", SLT + "mouth_correlation", "≥ .88", ".3f",
        "mean over jaw, pucker, funnel and stretch of Pearson's r with the rule-made motion, all frames"),
    Row("recall at 15 dB, slt", "noise_15db." + SLT + "closure_recall", "≥ .88", ".3f",
        "the same in white noise; both powers over the whole recording"),
    Row("false at 15 dB, slt", "noise_15db." + SLT + "closure_false", "", ".3f", "the same in white noise"),
    Row("false closures, alsa", "alsa_false_closures", "≤ 1", "d",
        "sealed stretches in the eight recordings of alsa-utils, which have no m, b or p (one woman)"),
    Row("recall, Italian", "voices.espeak-it.closure_recall", "≥ .95", ".3f", "a language held out, espeak-ng"),
    Row("false, Italian", "voices.espeak-it.closure_false", "≤ .05", ".3f", ""),
    Row("recall, Hungarian", "voices.espeak-hu.closure_recall", "≥ .95", ".3f", "another"),
    Row("false, Hungarian", "voices.espeak-hu.closure_false", "≤ .05", ".3f", ""),
    Row("recall, held-out setting", "voices.espeak-en-us.closure_recall", "≥ .95", ".3f",
        "English by two voice variants of espeak-ng that are held out"),
    Row("false, held-out setting", "voices.espeak-en-us.closure_false", "≤ .05", ".3f", ""),
    Row("mouth moving in noise", "noise_motion", "0", ".3f", "largest opening of the mouth in 32 s of noises"),
    Row("mouth moving in music", "music_motion", "0", ".3f", "share of the time that the mouth opens to music alone"),
    Row("LVE (ARTalk), mm", "lve", "least", ".2f",
        "root of the mean over frames of the squared distance of the frame's worst lip vertex"),
    Row("LVE (CodeTalker), mm²", "lve_codetalker", "least", ".2f", "the same without the root"),
    Row("FDD (ARTalk), mm", "fdd", "least", ".4f",
        "mean over upper-face vertices of how far the std over time of x + y + z is off (ARTalk: times 100)"),
    Row("FDD (CodeTalker), mm²", "fdd_codetalker", "near 0", "+.4f",
        "mean over upper-face vertices of the std over time of the squared motion, true − predicted, signed"),
    Row("MOD, mm", "mod", "least", ".2f",
        "mean difference of the mouth's opening over nine pairs of points along the inner lips"),
    Row("lag behind the truth, ms", "sync_lag_ms", "within ±20", "+.1f",
        "peak of the cross-correlation of predicted and true opening (jaw × (1 − closure)); positive is late"),
    Row("lag behind the sound, ms", "sync_lag_energy_ms", "", "+.1f",
        "the same against the sound's energy"),
    Row("… of the truth", "truth_lag_energy_ms", "", "+.1f", "what the rule-made motion itself has"),
    Row("beat alignment", "beat_alignment", "above chance", ".3f",
        "mean over nods (peaks of pitch of ½° and more) of exp(−d²/2σ²), d to the nearest stressed syllable, σ 120 ms"),
    Row("… by chance", "beat_alignment_random", "", ".3f", "mean of 400 circular shifts of the same motion"),
    Row("… deviations above chance", "beat_alignment_sigmas", "≥ 3", ".1f",
        "standard deviations of those 400 that the score is above their mean"),
    Row("… of all turning points", "beat_alignment_speed_sigmas", "≥ 3", ".1f",
        "the same for local minima of the head's angular speed, the beats of AIST++"),
    Row("style accuracy", "style_accuracy", "≥ .90", ".3f",
        "motion generated in the style of an unseen 4 s reference is assigned to it among 20"),
    Row("… without pose and smile", "style.accuracy.without_giveaways", "≥ .70", ".3f",
        "where head and eyes rest, and all of the smile, kept from the classifier"),
    Row("… by movement alone", "style.accuracy.moving", "", ".3f",
        "the resting value of every expression but the brows kept from it, too"),
    Row("blink rate", "style.blink_rate_correlation", "", ".2f", "r over 24 unseen styles, references of 60 s"),
    Row("real-time factor", "real_time_factor", "≤ .01", ".4f",
        "seconds for a second of sound: tracks of 60 s at 25 frames a second, two threads, median of three"),
    Row("… of one core", "real_time_factor_cpu", "", ".4f", "processor seconds, one thread"),
    Row("load, s", "load_s", "≤ 1.5", ".2f", "reading the weights and building the networks, in a fresh process"),
    Row("memory, 10 min, MB", "memory_10min_mb", "", ".0f", "peak of a process that reads sound and hands on pieces"),
    Row("memory, 3 h, MB", "memory_3h_mb", "≤ 10 min + 10 %", ".0f", ""),
)  # fmt: skip
STYLE_ROWS = (
    ("jaw amplitude", "jaw", "≥ .9"), ("pucker amplitude", "pucker", "≥ .9"),
    ("stretch amplitude", "stretch", "≥ .9"), ("smile mean", "smile_mean", "≥ .95"),
    ("brow mean", "brow_mean", "≥ .95"), ("head mean", "head_mean", "≥ .9"),
    ("head amplitude", "head_amplitude", "≥ .8"), ("brow dynamics", "brow_dynamics", "≥ .6"),
    ("smile dynamics", "smile_dynamics", "≥ .6"),
)  # fmt: skip
STYLE_COLUMNS = (
    ("its reference of 4 s", "correlation"), ("60 s of the style", "correlation_60s"),
    ("rules saying the same", "correlation_same_speech"), ("rules with the reference", "correlation_of_rules"),
)  # fmt: skip
VOICE_COLUMNS = (
    ("recall", "closure_recall", ".3f"), ("false", "closure_false", ".3f"), ("f/v", "fv_recall", ".3f"),
    ("r", "mouth_correlation", ".3f"), ("LVE mm", "lve", ".2f"), ("MOD mm", "mod", ".2f"),
    ("lag ms", "sync_lag_ms", "+.0f"),
)  # fmt: skip


def look_up(figures: dict, path: str):
    """The figure at a path such as ``voices.flite-slt.lve``; None where there is none."""
    for name in path.split("."):
        figures = figures.get(name) if isinstance(figures, dict) else None  # type: ignore[assignment]
    return figures


def written(value, form: str) -> str:
    """A figure as text, without the nought before the point where it is below one."""
    if value is None:
        return _NOTHING
    text = format(value, form)
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") and "f" in form else text


def comparison(figures: dict, first: dict) -> str:
    """The table of all figures, ours beside the first model and the other baselines."""
    rivals = [first or look_up(figures, "baselines.earlier_model") or {}]
    rivals += [look_up(figures, f"baselines.{name}") or {} for name in ("nearest", "mean_by_energy")]
    lines = [
        "| figure | wanted | this model | first model | nearest | energy | what it is |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        cells = [written(look_up(one, row.path), row.form) for one in (figures, *rivals)]
        lines.append(f"| {row.title} | {row.wanted} | **{cells[0]}** | {' | '.join(cells[1:])} | {row.meaning} |")
    return "\n".join(lines)


def styles(figures: dict, first: dict) -> str:
    """The table of what generated motion has in common with its reference."""
    titles = ("r over unseen styles of", "wanted", *(title for title, _ in STYLE_COLUMNS), "first model")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for title, name, wanted in STYLE_ROWS:
        paths = [f"style.{of}.{name}" for _, of in STYLE_COLUMNS]
        cells = [written(look_up(figures, path), ".2f") for path in paths]
        cells.append(written(look_up(first, paths[0]), ".2f"))
        lines.append(f"| {title} | {wanted} | {' | '.join(cells)} |")
    return "\n".join(lines)


def voices(figures: dict) -> str:
    """The table of voices, with how many events there are and the 95 % interval of recall and false closures."""
    head = "| voice | closures | " + " | ".join(name for name, _, _ in VOICE_COLUMNS) + " | 95 % of recall | of false |"
    lines = [head, "|---" * (len(VOICE_COLUMNS) + 4) + "|"]
    for name, of_voice in figures["voices"].items():
        cells = [written(of_voice.get(key), form) for _, key, form in VOICE_COLUMNS]
        count = look_up(of_voice, "events.closure_recall")
        cells += [_interval(look_up(of_voice, f"interval.{key}")) for key in ("closure_recall", "closure_false")]
        lines.append(f"| {name} | {count[1] if count else _NOTHING} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(ends) -> str:
    return " to ".join(written(end, ".2f") for end in ends) if ends else _NOTHING


def with_tables(document: str, figures: dict, first: dict) -> str:
    """The document with new tables between its marks.

    Raises:
        ErlnetError: it has no marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ErlnetError("The document has no place for the figures", "", f"put {BEGIN} and {END} into it")
    count, seconds = figures.get("recordings"), figures.get("duration_s")
    tables = "\n\n".join([comparison(figures, first), styles(figures, first), voices(figures)])
    told = f"Split `{figures.get('split')}`: {count} recordings, {seconds} s with the silence around them."
    told += f" Weights: `{figures.get('weights') or 'unknown'}`."
    return f"{before}{begin}\n{told}\n\n{tables}\n{end}{after}"


def read(paths: list[Path]) -> dict:
    """The figures of several files as if one run had made them; the later file wins."""
    figures: dict = {}
    for path in paths:
        figures = joined(figures, json.loads(path.read_text(encoding="utf8")))
    return figures


def joined(ours: dict, theirs: dict) -> dict:
    """Both dictionaries in one, and so the dictionaries in them."""
    both = dict(ours)
    for name, value in theirs.items():
        known = both.get(name)
        both[name] = joined(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return both


def main() -> None:
    """Rewrite the tables of a document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("document", type=Path)
    parser.add_argument("figures", type=Path, nargs="+")
    parser.add_argument("--first", type=Path, nargs="+", default=[], help="figures of the first model")
    options = parser.parse_args()
    document = options.document.read_text(encoding="utf8")
    tables = with_tables(document, read(options.figures), read(options.first))
    write_bytes(options.document, tables.encode())


if __name__ == "__main__":
    main()
