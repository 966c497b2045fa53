"""Executing a notebook with papermill: kernel environment, progress, stopping, redaction."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nearfield.errors import BlockedError, UnknownNameError
from nearfield.extras import install_extra
from nearfield.provenance.files import write_atomic
from nearfield.provenance.record import Failure, KernelUsed
from nearfield.provenance.redaction import Redactor
from nearfield.provenance.surroundings import KERNEL_QUESTION, kernel_used
from nearfield.templates.notebook import heading
from nearfield.templates.stopping import Stop, Stopped

OnCell = Callable[[int, int, str], None]
"""Told (cells done, cells in all, heading above the cell that begins), from another thread."""

_ENGINE = "nearfield"


@dataclass(frozen=True, slots=True)
class Work:
    """One execution: ``notebook`` is the template's text, ``target`` where it goes, executed."""

    notebook: bytes
    target: Path
    folder: Path
    kernel: str
    language: str
    parameters: dict[str, Any]
    environment: dict[str, str]
    log: Path
    """What the kernel's process prints besides its cells' outputs."""


@dataclass(slots=True)
class Outcome:
    """How it went; ``failure`` is None where all cells were executed."""

    kernel: KernelUsed | None = None
    failure: Failure | None = None


def find_kernel(name: str) -> str:
    """The language of the kernel ``name``.

    Raises:
        BlockedError: what executes notebooks is not installed.
        UnknownNameError: there is no such kernel; it names those that there are.
    """
    try:
        import nbformat  # noqa: F401
        import papermill  # noqa: F401
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError as error:
        raise BlockedError(
            f"templates cannot be run here: {error.name} is not installed",
            hint=install_extra("batch"),
        ) from error
    manager = KernelSpecManager()
    try:
        return str(manager.get_kernel_spec(name).language or "python")
    except NoSuchKernel:
        raise UnknownNameError("kernel", name, manager.find_kernel_specs()) from None


def execute(work: Work, on_cell: OnCell, stop: Stop) -> Outcome:
    """Execute all cells, or up to the first that fails. Raises Stopped where it was asked to.

    This happens in a thread of its own, with an event loop of its own that ends with it:
    papermill leaves its loop behind, and in a notebook this thread's loop is taken. Signals are
    heard while this thread waits.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="nearfield") as pool:
        return pool.submit(_in_own_loop, work, on_cell, stop).result()


def _in_own_loop(work: Work, on_cell: OnCell, stop: Stop) -> Outcome:
    from jupyter_core.utils import ensure_event_loop

    try:
        return _execute(work, on_cell, stop)
    finally:
        ensure_event_loop().close()
        asyncio.set_event_loop(None)


def _execute(work: Work, on_cell: OnCell, stop: Stop) -> Outcome:
    import nbformat
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    _register()
    redactor = Redactor()
    outcome = Outcome()
    log = logging.getLogger("papermill")
    level = log.level
    # What went wrong is said once, by us.
    log.setLevel(logging.CRITICAL + 1)
    try:
        execute_notebook(
            nbformat.reads(work.notebook.decode(), as_version=4),  # type: ignore[no-untyped-call]
            # papermill formats the path: braces in a folder's name are not fields.
            str(work.target).replace("{", "{{").replace("}", "}}"),
            parameters=work.parameters,
            engine_name=_ENGINE,
            kernel_name=work.kernel,
            language=work.language,
            progress_bar=False,
            work=work,
            outcome=outcome,
            on_cell=on_cell,
            stop=stop,
            redactor=redactor,
        )
    except PapermillExecutionError as error:
        evalue = redactor.text(str(error.evalue)).strip()
        outcome.failure = Failure(
            message=f"{error.ename}: {evalue}" if evalue else str(error.ename),
            error=str(error.ename),
        )
    except Stopped:
        raise
    except Exception as error:
        # nbclient's DeadKernelError, a kernel that did not start, a full disk.
        if not stop.requested:
            outcome.failure = Failure(
                message=redactor.text(_explain(error, work.log)), error=type(error).__name__
            )
    finally:
        log.setLevel(level)
        number = _finish(work.target, redactor)
    if stop.requested:
        raise Stopped
    if outcome.failure is not None and number is not None:
        outcome.failure = outcome.failure.model_copy(update={"cell": number})
    return outcome


def _register() -> None:
    """Make our engine known to papermill; defined here because papermill is imported late."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines

    class Client(PapermillNotebookClient):  # type: ignore[misc]
        """papermill's client with an environment, an ear for stopping and a redactor."""

        work: Work
        outcome: Outcome
        on_cell: OnCell
        stop: Stop
        redactor: Redactor
        private_folder: str

        def create_kernel_manager(self) -> Any:
            manager = super().create_kernel_manager()
            # On a shared node anybody can listen to a kernel's outputs on its TCP ports; a Unix
            # socket in a folder of our own is ours. The path of a socket has at most 107 bytes.
            connection = Path(self.private_folder) / "k"
            if len(os.fsencode(connection)) < 90:
                manager.transport = "ipc"
                manager.connection_file = str(connection)
            return manager

        def start_new_kernel(self, **kwargs: Any) -> None:
            super().start_new_kernel(**kwargs)
            provisioner = getattr(self.km, "provisioner", None)
            self.stop.kernel_started(getattr(provisioner, "pgid", None))

        def papermill_execute_cells(self) -> None:
            asked = self.kc.execute(
                "",
                silent=True,
                store_history=False,
                user_expressions={"nearfield": self._question()},
            )
            reply = self.wait_for_reply(asked)
            info = self.wait_for_reply(self.kc.kernel_info())
            answer = reply["content"].get("user_expressions", {}).get("nearfield", {})
            text = answer.get("data", {}).get("text/plain") if answer else None
            language = info["content"]["language_info"]
            self.outcome.kernel = kernel_used(self.work.kernel, language, text)
            super().papermill_execute_cells()

        def _question(self) -> str:
            return KERNEL_QUESTION if self.work.language.lower() == "python" else "0"

        def execute_cell(self, cell: Any, index: int, **kwargs: Any) -> Any:
            self.stop.check()
            above = heading(self.nb.cells[: index + 1])
            self.on_cell(index, len(self.nb.cells), self.redactor.text(above))
            return super().execute_cell(cell, index, **kwargs)

        def process_message(self, msg: Any, *args: Any, **kwargs: Any) -> Any:
            # Before anything is written: papermill saves while cells are still printing.
            cleaned = {**msg, "content": self.redactor.clean(msg["content"])}
            return super().process_message(cleaned, *args, **kwargs)

    class NearfieldEngine(Engine):  # type: ignore[misc]
        """Hands what papermill does not know about to the client."""

        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,
            kernel_name: str,
            *,
            work: Work,
            outcome: Outcome,
            on_cell: OnCell,
            stop: Stop,
            redactor: Redactor,
            start_timeout: int = 120,
            **_: Any,
        ) -> None:
            client = Client(
                nb_man,
                kernel_name=kernel_name,
                timeout=None,
                startup_timeout=max(start_timeout, 120),
                log=logging.getLogger("papermill"),
            )
            client.work, client.outcome, client.on_cell = work, outcome, on_cell
            client.stop, client.redactor = stop, redactor
            with work.log.open("ab") as log, TemporaryDirectory(prefix="nearfield-") as private:
                client.private_folder = private
                try:
                    client.execute(
                        env=work.environment, cwd=str(work.folder), stdout=log, stderr=log
                    )
                finally:
                    stop.kernel_ended()
            on_cell(len(nb_man.nb.cells), len(nb_man.nb.cells), "")

    papermill_engines.register(_ENGINE, NearfieldEngine)


def _explain(error: Exception, log: Path) -> str:
    name = type(error).__name__
    if name == "DeadKernelError":
        return "the kernel died while a cell was running (out of memory, or a crash in a library)"
    message = f"{name}: {error}".strip()
    with suppress(OSError):
        words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if words:
            message += "\n  the kernel's last words: " + "\n  ".join(words[-3:])
    return message


def _finish(path: Path, redactor: Redactor) -> int | None:
    """Clean the executed notebook once more, whole; returns the number of the failed cell."""
    try:
        notebook = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    notebook = redactor.clean(notebook)
    metadata: Mapping[str, Any] = notebook.get("metadata", {})
    if "papermill" in metadata:
        metadata["papermill"]["environment_variables"] = {}
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    with suppress(OSError):
        write_atomic(path, text.encode("utf-8", "backslashreplace"))
    for number, cell in enumerate(notebook.get("cells", []), 1):
        if cell.get("metadata", {}).get("papermill", {}).get("exception") is True:
            return number
    return None
