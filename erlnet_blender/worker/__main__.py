"""Start the worker: ``python -m erlnet_blender.worker``, or this file by its path; with the word ``flame``
the child that reads one FLAME file.

Run by path (as Blender does, where the package's name is ``bl_ext.<repository>.erlnet_blender``) the
package is loaded from its folder as ``erlnet_blender``, without touching ``sys.path`` for others.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "erlnet_blender"


def _load_package() -> None:
    folder = Path(__file__).resolve().parent.parent
    # Running a file by path puts its folder first, where `server` or `client` would shadow others' modules.
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != folder / "worker"]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    if not __package__:
        _load_package()
    importlib.import_module(f"{PACKAGE}.worker.{'flame_child' if sys.argv[1:] == ['flame'] else 'server'}").main()
