"""Speaking through the espeak-ng library, with exact phone times from its events.

The event of a voiceless stop marks the burst. Its closure is the digital silence just before, so p, t and k are moved
back to where that silence starts; m, b and the vowels are right as they come.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import lru_cache

import numpy as np

from erlnet_blender.errors import ErlnetError

from .phones import SILENCE, VOICELESS_STOPS, atomic_phones
from .spoken import Phone, Spoken

# Language code to the voice file of espeak-ng; variants ("+f4") need the file's name.
LANGUAGES = {
    "en-us": "gmw/en-US", "en-gb": "gmw/en", "en-sc": "gmw/en-GB-scotland", "en-rp": "gmw/en-GB-x-rp",
    "en-029": "gmw/en-029", "de": "gmw/de", "fr": "roa/fr", "es": "roa/es", "it": "roa/it", "pt-br": "roa/pt-BR",
    "nl": "gmw/nl", "pl": "zlw/pl", "ru": "zle/ru", "cs": "zlw/cs", "sv": "gmq/sv", "fi": "urj/fi", "tr": "trk/tr",
    "hu": "urj/hu", "hi": "inc/hi", "el": "grk/el", "ro": "roa/ro", "id": "poz/id", "sw": "bnt/sw", "ja": "jpx/ja",
    "cmn-latn-pinyin": "sit/cmn-Latn-pinyin", "ca": "roa/ca", "mr": "inc/mr", "te": "dra/te", "sk": "zlw/sk",
    "hr": "zls/hr", "uk": "zle/uk", "da": "gmq/da", "eo": "art/eo", "bg": "zls/bg",
}  # fmt: skip
VARIANTS = [
    "Alex",
    "Alicia",
    "Andrea",
    "Andy",
    "Annie",
    "Denis",
    "Diogo",
    "Gene",
    "Henrique",
    "Hugo",
    "Jacky",
    "Lee",
    "Marco",
    "Mario",
    "Michael",
    "Mike",
    "Nguyen",
    "adam",
    "anika",
    "antonio",
    "aunty",
    "belinda",
    "benjamin",
    "boris",
    "caleb",
    "david",
    "ed",
    "edward",
    "f1",
    "f2",
    "f3",
    "f5",
    "grandma",
    "iven",
    "iven2",
    "john",
    "kaukovalta",
    "klatt",
    "klatt2",
    "klatt3",
    "klatt4",
    "klatt5",
    "klatt6",
    "linda",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m8",
    "marcelo",
    "max",
    "michel",
    "miguel",
    "norbert",
    "pablo",
    "paul",
    "pedro",
    "quincy",
    "rob",
    "robert",
    "sandro",
    "shelby",
    "steph",
    "steph2",
    "travis",
    "victor",
    "zac",
]

_PHONE_EVENT = 7
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_PHONE_EVENTS_AS_IPA = 1 | 2
_SYNCHRONOUS_RETRIEVAL = 2
_UTF8 = 1
_SILENT_LEVEL = 30
_LONGEST_CLOSURE_S = 0.09
_STEP_S = 0.001


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Synthesiser:
    """The library, started once; `speak` is not re-entrant.

    Raises:
        ErlnetError: espeak-ng is not installed.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1"
        try:
            self._library = ctypes.CDLL(name)
        except OSError as error:
            raise ErlnetError(
                "The speech corpus needs espeak-ng", "", "install the system package `espeak-ng`"
            ) from error
        self.sample_rate_hz = self._library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, None, _PHONE_EVENTS_AS_IPA)
        if self.sample_rate_hz <= 0:
            raise ErlnetError("espeak-ng did not start", "", "reinstall the system package `espeak-ng`")
        self._chunks: list[np.ndarray] = []
        self._events: list[tuple[int, str]] = []
        self._callback = _Callback(self._receive)  # kept alive: the library calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: ctypes._Pointer, count: int, events: ctypes._Pointer) -> int:
        if count > 0 and samples:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != 0:
            event = events[index]
            if event.type == _PHONE_EVENT:
                raw = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                self._events.append((event.sample, raw.decode("utf8", "ignore")))
            index += 1
        return 0

    def speak(
        self, text: str, language: str, variant: str = "", rate: int = 175, pitch: int = 50, pitch_range: int = 50
    ) -> Spoken | None:
        """Speak `text`; None where the library makes less than a fifth of a second.

        Args:
            language: a key of `LANGUAGES`; variant: a name of `VARIANTS` or "".
            rate: words a minute; pitch, pitch_range: 0..99.
        """
        voice = LANGUAGES[language] + (f"+{variant}" if variant else "")
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ErlnetError("espeak-ng has no voice", voice, "install its full voice data")
        for parameter, value in ((_RATE, rate), (_VOLUME, 100), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        self._events.clear()
        data = text.encode("utf8")
        self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        if sum(map(len, self._chunks)) < 0.2 * self.sample_rate_hz:
            return None
        samples = np.concatenate(self._chunks)
        phones = _with_closures_before_bursts(
            _phones(self._events, len(samples), self.sample_rate_hz), samples, self.sample_rate_hz
        )
        samples = samples / np.float32(32768)
        return Spoken(text, f"espeak-{language}+{variant}", samples, self.sample_rate_hz, phones, language)


@lru_cache(maxsize=1)
def synthesiser() -> Synthesiser:
    """The one synthesiser of this process."""
    return Synthesiser()


def _phones(events: list[tuple[int, str]], sample_count: int, rate_hz: int) -> list[Phone]:
    times_s = [sample / rate_hz for sample, _ in events] + [sample_count / rate_hz]
    return atomic_phones([(times_s[i], times_s[i + 1], ipa) for i, (_, ipa) in enumerate(events)])


def _with_closures_before_bursts(phones: list[Phone], samples: np.ndarray, rate_hz: int) -> list[Phone]:
    for previous, phone in zip([None, *phones], phones, strict=False):
        if phone.symbol not in VOICELESS_STOPS:
            continue
        start_s = _start_of_silence(samples, phone.start_s, rate_hz)
        if previous is not None and previous.symbol != SILENCE:
            # The sound before keeps at least half of its time.
            start_s = max(start_s, (previous.start_s + previous.end_s) / 2)
        if previous is not None:
            previous.end_s = start_s
        phone.start_s = start_s
    return phones


def _start_of_silence(samples: np.ndarray, burst_s: float, rate_hz: int) -> float:
    """Where the digital silence before `burst_s` starts; 50 ms before where there is none (after a pause)."""
    step, burst = max(1, int(_STEP_S * rate_hz)), int(burst_s * rate_hz)
    start = burst
    while start - step >= 0 and burst - start < _LONGEST_CLOSURE_S * rate_hz:
        if np.abs(samples[start - step : start]).max(initial=0) > _SILENT_LEVEL:
            break
        start -= step
    silent_s = (burst - start) / rate_hz
    if 0.015 < silent_s < _LONGEST_CLOSURE_S - 0.01:
        return start / rate_hz
    return max(0.0, burst_s - 0.05)
