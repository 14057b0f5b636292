"""The end of a session, however it comes: its status and its reason, and what is finalised, once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kit.errors import KitError, StorageError
from kit.harness.summary import COMPLETE, FAILED, STOPPED, read_json

if TYPE_CHECKING:
    from kit.keeper import Capture
    from kit.session import TrainingSession

logger = logging.getLogger(__name__)


class Ending:
    """Ends one session: asked to by a signal, after an error, at the interpreter's exit, or by ``close``."""

    def __init__(self, session: TrainingSession) -> None:
        self._session = session

    def on_signal(self, name: str) -> None:
        """A signal asks for a stop at the next safe boundary."""
        self._session.pace.wish = name

    def on_error(self, reason: str) -> None:
        """The workload failed, or was interrupted: finalise."""
        self.close(STOPPED if reason.startswith("KeyboardInterrupt") else FAILED, reason)

    def on_exit(self) -> None:
        """The interpreter ends with the session open: finalise."""
        session = self._session
        self.close(STOPPED if session.stopping else FAILED, session.reason or "left without close()")

    def keep(self, step: int, capture: Capture) -> None:
        """Take the checkpoint and the export that the session ends with.

        Where the checkpoint cannot be written the session is neither trained nor stopped well, however it then ends.
        """
        session = self._session
        try:
            session.keeper.last_checkpoint(step, capture)
        except StorageError as error:
            session.stopping = session.keeper.trained = False
            session.reason = str(error)
            raise
        session.keeper.export(step)

    def leave(self, error: BaseException | None) -> None:
        """The ``with`` block has ended, by ``error`` where there was one; that one is told, not what follows it."""
        if error is None:
            self.close()
            return
        try:
            self.on_error(f"{type(error).__name__}: {error}")
        except KitError:
            logger.exception("Finalising failed; layers 1 and 2 are on disk.")

    def close(self, status: str | None = None, reason: str | None = None) -> dict[str, Any]:
        """Finalise (layer 3) and return the summary; a second call only returns it."""
        session = self._session
        if session.closed:
            return read_json(session.folder.summary)
        session.closed = True
        try:
            if status == FAILED and not session.begun:  # there is no run to end
                return {}
            return self._finalise(status or (COMPLETE if session.trained else STOPPED), reason)
        finally:
            session.let_go()

    def _finalise(self, status: str, reason: str | None) -> dict[str, Any]:
        session = self._session
        left = "reached its total" if status == COMPLETE else "left before its total"
        session.companions.beat("finalise")
        session.timer.switch("finalise")
        return session.keeper.finalise(status, reason or session.reason or left, session.figures.write_report)
