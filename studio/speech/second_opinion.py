"""How well another listener hears lip closures: PocketSphinx's phone recogniser, trained on thousands of real people.

`python -m studio.speech.second_opinion build/corpus` prints, for every English voice of the splits `development` and
`test`, recall and false share of m, b, p as `erlnet evaluate speech` counts them, and those of the shipped speech model
in the same recordings. PocketSphinx knows nothing of our voices, so a voice in which it hears few closures is one in
which few can be heard. `--noise-db 15` puts the white noise of the evaluation under all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict

import numpy as np

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.corpus.folder import SpeechCorpus
from erlnet_blender.neural.adf.evaluation.cases import SILENCE_S, case_of, example_of
from erlnet_blender.neural.adf.evaluation.events import near, share, shares
from erlnet_blender.neural.adf.predictor import SpeechToFace

from .align import FRAMES_PER_S, RATE_HZ, require_decoder

_BILABIAL = {"M", "B", "P"}
_FAINT = 1e-4


def phone_recogniser():
    """PocketSphinx without words: any phone may follow any other, as likely as in English.

    Raises:
        ErlnetError: the package is not installed.
    """
    require_decoder()
    from pocketsphinx import Decoder, get_model_path  # pyright: ignore[reportMissingImports]

    model = f"{get_model_path()}/en-us"
    return Decoder(
        samprate=RATE_HZ, hmm=f"{model}/en-us", allphone=f"{model}/en-us-phone.lm.bin", lw=2.0, beam=1e-20,
        pbeam=1e-20, loglevel="FATAL",
    )  # fmt: skip


def closures_heard(recogniser, samples: np.ndarray) -> list[tuple[float, float]]:
    """(start_s, end_s) of every m, b, p that is heard in 16 kHz samples with `SILENCE_S` around them."""
    sound = (samples + np.random.default_rng(0).normal(0, _FAINT, len(samples))).clip(-1, 1)
    recogniser.start_utt()
    recogniser.process_raw((sound * 32767).astype(np.int16).tobytes(), full_utt=True)
    recogniser.end_utt()
    return [
        (segment.start_frame / FRAMES_PER_S - SILENCE_S, (segment.end_frame + 1) / FRAMES_PER_S - SILENCE_S)
        for segment in recogniser.seg()
        if segment.word in _BILABIAL
    ]


def opinion(corpus: SpeechCorpus, entries: list[dict], noise_db: float | None = None) -> dict:
    """closure_recall, closure_false and the number of closures, of recordings; noise as in `example_of`."""
    recogniser = phone_recogniser()
    heard = [closures_heard(recogniser, example_of(corpus, entry, noise_db).samples) for entry in entries]
    return counted(list(zip([entry["closures"] for entry in entries], heard, strict=True)))


def ours(corpus: SpeechCorpus, entries: list[dict], noise_db: float | None = None) -> dict:
    """The same figures of the speech model that ships."""
    model = SpeechToFace.load()
    figures = shares([case_of(model, corpus, entry, noise_db) for entry in entries])
    return {name: figures[name] for name in ("closure_recall", "closure_false")}


def counted(recordings: list[tuple[list, list]]) -> dict:
    """The figures of `opinion` from (closures that are due, closures that are heard), (start_s, end_s) each."""
    found = [near(*closure, heard) for due, heard in recordings for closure in due]
    made = [near(*closure, due) for due, heard in recordings for closure in heard]
    return {
        "closure_recall": share(sum(found), len(found)), "closure_false": share(made.count(False), len(made)),
        "closures": len(found),
    }  # fmt: skip


def main() -> int:
    """The command line; 0 = printed, 2 = no corpus or no PocketSphinx."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("corpus", help="folder of a speech corpus")
    parser.add_argument("--noise-db", type=float, help="speech over white noise")
    options = parser.parse_args()
    try:
        corpus = SpeechCorpus(options.corpus)
        voices = defaultdict(list)
        for split in ("development", "test"):
            for entry in corpus.entries(split):
                if entry["language"].startswith("en") and entry["closures"]:
                    voices[entry["voice"]].append(entry)
        listeners = {"pocketsphinx": opinion, "this_model": ours}
        told = {
            voice: {name: figures(corpus, entries, options.noise_db) for name, figures in listeners.items()}
            for voice, entries in sorted(voices.items())
        }
        print(json.dumps(told, indent=1))
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
