"""Speaking through Festival (Taylor, Black & Caley 1998), with the phone times of its own utterances.

Starting Festival and loading a voice takes about a second, so it speaks many texts in one process. Its voices are
made from recordings of people: diphones, or (Russian, Catalan) recorded units and a statistical model. One voice
becomes several speakers: between analysis and sound, a hook scales the pitch targets and the ends of the segments.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import soundfile

from erlnet_blender.errors import ErlnetError

from .festival_phones import ipa
from .phones import atomic_phones
from .spoken import Phone, Spoken

PACKAGES = (
    "festival festival-ca festival-czech festival-hi festival-mr festival-te festvox-ca-ona-hts festvox-czech-dita "
    "festvox-czech-krb festvox-czech-machac festvox-czech-ph festvox-hi-nsk festvox-italp16k festvox-itapc16k "
    "festvox-kallpc16k festvox-kdlpc16k festvox-mr-nsk festvox-ru festvox-suopuhe-lj festvox-suopuhe-mv festvox-te-nsk"
)
_VOICES_FOLDER = Path("/usr/share/festival/voices")
_SECONDS_FOR_A_TEXT = 20

# Scales the pitch targets and the segments of an utterance that has been analysed but not yet been made to sound,
# then speaks a text into a file and prints its segments. A text that Festival cannot speak is left out.
_SCHEME = """
(define (vary utt)
  (if (utt.relation.present utt 'Target)
      (mapcar (lambda (target)
                (item.set_feat target "f0" (* pitch (item.feat target "f0")))
                (item.set_feat target "pos" (* stretch (item.feat target "pos"))))
              (utt.relation.leafs utt 'Target)))
  (mapcar (lambda (segment) (item.set_feat segment "end" (* stretch (item.feat segment "end"))))
          (utt.relation.items utt 'Segment))
  utt)
(define (speak number wav text)
  (unwind-protect
    (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
      (utt.save.wave utt wav 'riff)
      (format t "\\n%d" number)
      (mapcar (lambda (segment) (format t " %s:%f" (item.name segment) (item.feat segment "end")))
              (utt.relation.items utt 'Segment))
      (format t "\\n"))))
"""


@dataclass(frozen=True)
class Voice:
    """A voice of Festival: its name there, its language, its phone set, how its texts are encoded.

    Args:
        varies: whether pitch and speed may be scaled; units of recorded speech are played as they are.
    """

    name: str
    folder: str
    language: str
    phone_set: str
    encoding: str = "utf-8"
    varies: bool = True


VOICES = {
    "kal": Voice("kal_diphone", "english", "en", "us"),
    "kdl": Voice("ked_diphone", "english", "en", "us"),
    "lp": Voice("lp_diphone", "italian", "it", "italian", "iso-8859-1"),
    "pc": Voice("pc_diphone", "italian", "it", "italian", "iso-8859-1"),
    **{name: Voice(f"czech_{name}", "czech", "cs", "czech", "iso-8859-2") for name in ("dita", "krb", "machac", "ph")},
    "lj": Voice("suo_fi_lj_diphone", "finnish", "fi", "finnish", "iso-8859-1"),
    "mv": Voice("hy_fi_mv_diphone", "finnish", "fi", "finnish", "iso-8859-1"),
    "nsh": Voice("msu_ru_nsh_clunits", "russian", "ru", "russian", varies=False),
    "ona": Voice("upc_ca_ona_hts", "catalan", "ca", "catalan", "iso-8859-1", varies=False),
    "nsk-hi": Voice("hindi_NSK_diphone", "hindi", "hi", "indic"),
    "nsk-mr": Voice("marathi_NSK_diphone", "marathi", "mr", "indic"),
    "nsk-te": Voice("telugu_NSK_diphone", "telugu", "te", "indic"),
}


@dataclass(frozen=True)
class Line:
    """A text to speak; `stretch` > 1 is slower, `pitch` multiplies the voice's own fundamental."""

    text: str
    stretch: float = 1.0
    pitch: float = 1.0


def require_festival() -> str:
    """The path of the festival command.

    Raises:
        ErlnetError: it, or a voice of `VOICES`, is not installed.
    """
    path = shutil.which("festival")
    missing = [name for name, voice in VOICES.items() if not (_VOICES_FOLDER / voice.folder / voice.name).is_dir()]
    if path is None or missing:
        lacks = "festival" if path is None else f"the voices {', '.join(missing)} of festival"
        raise ErlnetError(f"The speech corpus needs {lacks}", "", f"install the system packages `{PACKAGES}`")
    return path


def speak(lines: list[Line], voice: str) -> list[Spoken]:
    """Speak `lines` with a key of `VOICES`, in one process; lines that Festival cannot speak are left out.

    Raises:
        ErlnetError: festival is missing, or it spoke none of the lines.
    """
    command, about = require_festival(), VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "lines.scm"
        script.write_bytes(_script(lines, about, folder).encode(about.encoding, "ignore"))
        result = subprocess.run(
            [command, "--batch", str(script)],
            capture_output=True, check=False, timeout=60 + _SECONDS_FOR_A_TEXT * len(lines),
        )  # fmt: skip
        spoken = []
        for printed in result.stdout.decode("ascii", "ignore").splitlines():
            number, _, segments = printed.partition(" ")
            wav = Path(folder) / f"{number}.wav"
            if number.isdigit() and wav.is_file():
                samples, rate_hz = soundfile.read(wav, dtype="float32")
                phones, text = _phones(segments, about.phone_set), lines[int(number)].text
                spoken.append(Spoken(text, f"festival-{voice}", samples, rate_hz, phones, about.language))
    if lines and not spoken:
        reason = result.stderr.decode("utf8", "replace").strip().splitlines()[-1:]
        raise ErlnetError("festival could not speak", f"{voice} {reason}", f"check the voice {about.name}")
    return spoken


def _script(lines: list[Line], voice: Voice, folder: str) -> str:
    calls = [
        f"(set! pitch {line.pitch:.3f})(set! stretch {line.stretch:.3f})"
        f'(speak {number} "{folder}/{number}.wav" "{_quoted(line.text)}")'
        for number, line in enumerate(lines)
    ]
    hooks = (
        "(set! after_analysis_hooks (append (if (consp after_analysis_hooks) after_analysis_hooks"
        " (if after_analysis_hooks (list after_analysis_hooks))) (list vary)))"
        if voice.varies
        else ""
    )
    return "\n".join([_SCHEME, f"(voice_{voice.name})", hooks, *calls, ""])


def _quoted(text: str) -> str:
    return text.replace("\\", " ").replace('"', " ")


def _phones(segments: str, phone_set: str) -> list[Phone]:
    named: list[tuple[float, float, str]] = []
    start_s = 0.0
    for segment in segments.split():
        name, _, end = segment.rpartition(":")
        named.append((start_s, float(end), name))
        start_s = float(end)
    letters = ipa([name for _, _, name in named], phone_set)
    return atomic_phones([(start, end, letter) for (start, end, _), letter in zip(named, letters, strict=True)])
