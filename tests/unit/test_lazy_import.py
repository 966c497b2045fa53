"""``import nearfield`` is light, and no submodule shadows a public function."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

PUBLIC = {"cluster", "dataset", "open_file", "publish", "reduce", "reduction", "run", "search"}

# Jupyter's own client imports tornado; a hub or a login node never needs either.
HEAVY = {
    "numpy", "numba", "xarray", "h5py", "dask", "tornado", "pydantic", "httpx", "yaml",
    "matplotlib", "papermill", "tqdm",
}  # fmt: skip

IMPORT_ALL = """
import importlib, inspect, json, pkgutil, sys
import nearfield

failed = {}
for found in pkgutil.walk_packages(nearfield.__path__, "nearfield."):
    # A program, and a file that JupyterHub executes: neither is imported.
    if found.name.endswith(("__main__", "jupyterhub_config")):
        continue
    try:
        importlib.import_module(found.name)
    except ImportError as error:
        # A part whose extra is not installed; anything of our own is a fault.
        if (error.name or "nearfield").split(".")[0].startswith("nearfield"):
            raise
        failed[found.name] = str(error)
functions = {name: inspect.isfunction(getattr(nearfield, name)) for name in nearfield.__all__
             if name != "__version__"}
print(json.dumps({"functions": functions, "failed": failed}))
"""


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_functions_stay_functions_when_every_submodule_is_imported() -> None:
    told = json.loads(python(IMPORT_ALL))
    assert told["functions"] == dict.fromkeys(PUBLIC, True)


def test_import_pulls_in_nothing_heavy() -> None:
    loaded = json.loads(
        python("import json, sys, nearfield; print(json.dumps(sorted(sys.modules)))")
    )
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert "nearfield.api" not in loaded


def test_public_functions_are_documented_and_synchronous() -> None:
    import nearfield

    for name in PUBLIC:
        function = getattr(nearfield, name)
        assert not inspect.iscoroutinefunction(function)
        assert inspect.getdoc(function)
    assert set(dir(nearfield)) >= PUBLIC


def test_an_unknown_name_is_an_attribute_error() -> None:
    import nearfield

    assert not hasattr(nearfield, "reduced")


def test_a_search_in_a_script_imports_nothing_that_draws() -> None:
    """httpx's own command would bring rich and pygments along: a seventh of the start."""
    said = python(
        "import sys\n"
        "from nearfield.cli import main\n"
        "try:\n"
        "    main(['catalogue', 'search', '--json', '--catalogue', '/nowhere.sqlite'])\n"
        "except SystemExit:\n"
        "    print('httpx' in sys.modules, {'rich', 'pygments'} & set(sys.modules))\n"
    )
    assert said == "True set()\n"
