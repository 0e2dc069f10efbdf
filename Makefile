# From a fresh clone: `make demo` sets everything up and does the main job, `make test` proves it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Besides the 4.5 of .venv. The 4.2 wheel has no sound, the 5.2 wheel needs Python 3.13: see docs/manual.md.
OTHER_BLENDERS := 5.0
# What a real Blender can run with its own Python: no torch, no sound files.
IN_BLENDER := $(patsubst %,tests/blender/test_%.py,rig rig_controls pose keyframes layers writing edits edit_operators retiming camera stage appearance panels)

.PHONY: help setup demo test check lint test-blender test-window pictures extension bench gallery assets head speech avatar clean
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## create .venv with everything the project needs

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing, install it (Debian, Ubuntu: apt install python3.11 python3.11-venv) or call make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { echo "error: $(PYTHON) is not Python 3.11 with venv, install python3.11-venv or call make PYTHON=/path/to/python3.11" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[worker,blender,tracking,dev]'
	@$(BIN)/python -c 'import bpy' || { echo "error: Blender's module cannot be loaded, install its system libraries (Debian, Ubuntu: apt install libx11-6 libxi6 libxfixes3 libxrender1 libsm6 libxkbcommon0 libgl1 libglib2.0-0)" >&2; exit 2; }
	@$(BIN)/erlnet doctor --setup
	@touch $@

demo: setup  ## a voice recording in, build/demo/demo.blend and demo.mp4 out
	$(BIN)/erlnet demo -o build/demo

test: setup lint  ## everything that must hold
	$(BIN)/python -m pytest

check: setup lint  ## lint, types and the fast tests
	$(BIN)/python -m pytest tests/unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/pyright --level error

test-blender: setup $(OTHER_BLENDERS:%=build/bpy-%/.ready)  ## the tests inside every bpy there is for Python 3.11, and in BLENDER=/path/to/blender
	$(BIN)/python -m pytest tests/blender
	for version in $(OTHER_BLENDERS); do build/bpy-$$version/bin/python -m pytest tests/blender || exit; done
ifdef BLENDER
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade --target build/pure 'pytest>=8,<10' 'pytest-timeout>=2.3'
	$(BLENDER) -b --factory-startup --python tests/in_blender.py -- build/pure $(IN_BLENDER)
endif

build/bpy-%/.ready: $(READY)
	$(PYTHON) -m venv build/bpy-$*
	build/bpy-$*/bin/python -m pip install -q --disable-pip-version-check 'bpy==$*.*' 'numpy>=1.26,<2'
	@# Everything but bpy comes from the project's environment.
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' > build/bpy-$*/lib/python3.11/site-packages/rest.pth
	@touch $@

test-window: setup  ## the extension in the window of BLENDER=/path/to/blender: installed, clicked, dropped upon, timed
	BLENDER=$(or $(BLENDER),$(error which one? make $@ BLENDER=/path/to/blender)) $(BIN)/python -m pytest tests/gui

pictures: setup  ## docs/images: every panel in every state, taken in the window of BLENDER=/path/to/blender
	BLENDER=$(or $(BLENDER),$(error which one? make $@ BLENDER=/path/to/blender)) $(BIN)/python -m tests.gui -o docs/images

extension: setup  ## build/erlnet_blender-VERSION.zip, to install in Blender
	$(BIN)/python -m studio.extension -o build

bench: setup  ## speed of the renderer, of speech to face, of the rig and of writing keys, as ratios
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.rig
	$(BIN)/python -m benchmarks.keyframes

gallery: setup  ## docs/contact_sheet.jpg and gallery.md: both preset heads in Cycles, judged by FaceMesh
	$(BIN)/python -m studio.gallery

head: setup  ## rebuild the default head and its hair
	$(BIN)/python -m studio.head -o erlnet_blender/assets/default_head.npz
	$(BIN)/python -m studio.head.hair

speech: setup  ## synthesise the speech corpus and train ADF (needs the programs in docs/training/corpus.md; long)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[studio]'
	$(BIN)/python -m studio.speech -o build/corpus
	$(BIN)/erlnet train speech build/corpus -o build/adf.safetensors --resume
	cp build/adf.safetensors erlnet_blender/assets/adf.safetensors

avatar: setup  ## render the default head and train the default avatar (long)
	$(BIN)/python -m studio.capture -o build/capture --frames 200 --samples 12 --judge-samples 24
	$(BIN)/python -m studio.avatar build/capture -o erlnet_blender/assets/default_avatar.safetensors --seconds 1140

assets: head speech avatar  ## rebuild all that is shipped (long)

clean:  ## remove what was built, keep the environment
	rm -rf build
