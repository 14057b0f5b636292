"""Chain: as many sessions as a run needs. Push, wait, bring home, hand over, push again, until it is complete.

Its state is on disk before and after each step, so the laptop may be closed, or the process killed, at any instant:
called again it goes on. No session is paid twice: a push is noted before it is made, and where nobody knows whether it
was taken, Kaggle is asked for its mark. What a session left comes home before the next one is pushed, so nothing hangs
on a version that the next push would cover up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kit import __version__
from kit.errors import QuotaError, UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.deadline import DEFAULT_SESSION_S, HOUR_S, format_duration
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder, move_aside
from kit.remote.chain_home import Homecoming
from kit.remote.chain_order import ChainOrder
from kit.remote.chain_state import ChainFolder, ChainSession, ChainState, read_state, write_state
from kit.remote.checkpoint_dataset import dataset_ref
from kit.remote.client import KaggleClient
from kit.remote.delivery import deliver, has_arrived, new_mark, put_mark, refuse_busy, was_taken
from kit.remote.interruption import interrupted_chain, told_when_interrupted
from kit.remote.kernel_ref import KernelRef
from kit.remote.push import PushOrder, build, look_before, slug_for, wants_gpu
from kit.remote.replies import SourcesError
from kit.remote.waiting import Waiting
from kit.report.remote import chain_cost_text

logger = logging.getLogger(__name__)

Tell = Callable[[str], object]


class Chain:
    """One call of a chain; ``tell`` gets lines for the user."""

    def __init__(
        self,
        client: KaggleClient,
        order: ChainOrder,
        tell: Tell = lambda _: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client, self._tell, self._clock = client, tell, clock
        owner = order.kernel.owner or client.username()
        self._order = replace(order, kernel=replace(order.kernel, owner=owner))
        self._folder = ChainFolder(order.out)
        self._ref = KernelRef(
            owner, slug_for(order.kernel.notebook, order.kernel.slug), order.kernel.notebook.stem
        )
        self._state = ChainState({})
        self._given_up = 0

    def run(self) -> dict[str, Any]:
        """Go on until the run is complete, a limit is reached, or a session brings nothing.

        Returns ``{kernel, run_dir, chain, status, reason, step, total_timesteps, sessions, gpu_hours, forecast}``;
        ``status`` is complete, stopped (by a limit that was set) or failed (a session brought nothing).

        Raises:
            LeftRunningError: it was interrupted; the same call goes on.
            RunLockedError: another process works on this chain.
            ConfigMismatchError: the folder holds a chain of other settings.
            QuotaError: the account's quota is used up.
            RemoteError: Kaggle refuses, or cannot be reached; the state stands, and the same call goes on.
        """
        fresh = self._order.fresh
        with told_when_interrupted(lambda: interrupted_chain(self._ref, self._state, fresh=fresh)):
            self._make_way()
            with FileLock(self._folder.lock).acquire():
                self._take_up()
                while not self._is_over():
                    self._go_on()
                return self._found()

    def _take_up(self) -> None:
        """Read how the chain stands."""
        self._state = read_state(self._folder.state, self._identity())
        if self._order.retry:
            self._state.stopped = ""
            last = self._state.last
            self._given_up = last.number if last is not None and last.stage == "ended" else 0

    def _go_on(self) -> None:
        """Do the next thing that is to be done."""
        last = self._state.last
        if last is None or last.stage == "taken":
            self._begin()
        elif last.stage == "intended":
            self._settle(last)
        elif last.stage == "pushed":
            self._wait(last)
        else:
            self._homecoming(last).take(last)
            last.stage = "taken"
            self._save()

    def _is_over(self) -> bool:
        state = self._state
        last = state.last
        between = last is None or last.stage == "taken"
        if between and not state.complete and not state.stopped:
            state.stopped = self._limit_reached()
            if not state.stopped:
                return False
        # A limit may be another one in the next call, so it is not kept.
        return between and (state.complete or bool(state.stopped))

    def _limit_reached(self) -> str:
        order, state = self._order, self._state
        if len(state.sessions) >= order.max_sessions:
            return f"limit: {len(state.sessions)} sessions are paid for, --max-sessions allows {order.max_sessions}"
        if order.max_gpu_hours is not None and self._left_of(order.max_gpu_hours) < order.shortest_s:
            return f"limit: {state.gpu_hours:.1f} GPU hours are spent, --max-gpu-hours allows {order.max_gpu_hours:g}"
        return ""

    def _left_of(self, hours: float) -> float:
        return (hours - self._state.gpu_hours) * HOUR_S

    # The next session

    def _begin(self) -> None:
        """Push the next session: everything that can refuse comes before the intent, and the intent before the push."""
        state, order = self._state, self._order
        former = refuse_busy(self._client, self._ref)
        if not state.sessions and state.forecast is None:
            state.forecast = look_before(order.quick, order.kernel.session_limit_s, split=True)
            self._tell_cost()
            if order.quick is not None:  # it took its time
                refuse_busy(self._client, self._ref)
        resumes = state.home_step >= 0
        carry = state.carry if resumes else "none"
        kernel = replace(order.kernel, **self._sources(carry))
        if resumes:
            kernel = replace(kernel, options={**kernel.options, "must_resume": True})
        limit_s = self._session_limit()
        kernel = replace(kernel, session_limit_s=limit_s)
        built = build(PushOrder(kernel, self._folder.kernel))
        mark = new_mark()
        put_mark(built.folder, mark)
        session = ChainSession(
            len(state.sessions) + 1,
            mark,
            self._clock.wall(),
            max(0, state.home_step),
            carry,
            limit_s,
            without_sources=None if kernel.kernel_sources or kernel.dataset_sources else False,
            former=former.state if former else "",
        )
        state.sessions.append(session)
        self._save()
        self._push(session)

    def _tell_cost(self) -> None:
        gpu = wants_gpu(self._order.kernel)
        quota = self._client.quota() if gpu else None
        self._tell(chain_cost_text(self._state.forecast, quota.left_h if quota else None, gpu=gpu))

    def _sources(self, carry: str) -> dict[str, Any]:
        kernel = self._order.kernel
        if carry == "kernel":
            return {"kernel_sources": (*kernel.kernel_sources, str(self._ref))}
        if carry == "dataset":
            return {"dataset_sources": (*kernel.dataset_sources, dataset_ref(self._ref))}
        return {}

    def _session_limit(self) -> float | None:
        """Return the limit of the next session: what was asked for, and what the GPU hours leave.

        Raises:
            QuotaError: they leave too little.
        """
        asked = self._order.kernel.session_limit_s
        if not wants_gpu(self._order.kernel):
            return asked
        limits = [asked or DEFAULT_SESSION_S]
        quota = self._client.quota()
        if quota is not None:
            limits.append(quota.left_h * HOUR_S)
            if limits[-1] < self._order.shortest_s:
                until = f" until {quota.refresh_at}" if quota.refresh_at else ""
                raise QuotaError(
                    f"{quota.left_h:.2f} GPU hours are left{until}. Nothing was pushed; call chain again then."
                )
        if self._order.max_gpu_hours is not None:
            limits.append(self._left_of(self._order.max_gpu_hours))
        least = min(limits)
        return asked if least == (asked or DEFAULT_SESSION_S) else float(int(least))

    def _push(self, session: ChainSession) -> None:
        at = f"from step {session.from_step:,}" if session.carry != "none" else "from the beginning"
        limit = f", at most {format_duration(session.limit_s)}" if session.limit_s else ""
        self._tell(f"session {session.number}: pushing {self._ref}, {at}{limit}")
        try:
            pushed = deliver(self._client, self._ref, self._folder.kernel, session.mark, session.limit_s)
            if pushed.answered:
                session.without_sources = False
        except SourcesError as error:
            pushed, session.without_sources = error.pushed, True
            if set(error.names) != {
                self._carried(session)
            }:  # it needs what nobody can hand over in another way
                self._is_pushed(session, pushed.version, pushed.url)
                raise
            # It runs without the run it should continue, and so ends at once: the next one gets it by a dataset.
            logger.warning("%s", error)
        self._is_pushed(session, pushed.version, pushed.url)

    def _carried(self, session: ChainSession) -> str:
        return dataset_ref(self._ref) if session.carry == "dataset" else str(self._ref)

    def _is_pushed(self, session: ChainSession, version: int | None, url: str) -> None:
        session.stage, session.version, session.url = "pushed", version, url
        session.pushed_at_s = self._clock.wall()
        self._save()

    def _settle(self, session: ChainSession) -> None:
        """Find out whether an intended push was taken; where it was not, there is no such session."""
        client, ref, mark = self._client, self._ref, session.mark
        # When the push was made is not known, only that it is not to be made any more: the time counts from now.
        if not was_taken(client, ref, mark) and not has_arrived(client, ref, mark):
            self._tell(f"session {session.number} was never pushed")
            self._state.sessions.remove(session)
            self._save()
            return
        unsure = session.without_sources is None
        more = (
            "; whether Kaggle attached what it needs was never read, and shows when it ends" if unsure else ""
        )
        self._tell(f"session {session.number} had been pushed{more}")
        self._is_pushed(session, None, f"https://www.kaggle.com/code/{self._ref}")

    def _wait(self, session: ChainSession) -> None:
        waiting = Waiting(self._client, self._order.every_s, self._tell, self._clock)
        status = waiting.until_ended(self._ref, session.pushed_at_s, session.former)
        session.stage, session.kernel_status, session.message = "ended", status.state, status.message
        self._save()

    # What is there

    def _homecoming(self, session: ChainSession) -> Homecoming:
        order = self._order
        return Homecoming(
            self._client,
            self._ref,
            self._folder,
            self._state,
            self._tell,
            order.by_dataset,
            session.number == self._given_up,
            self._save,
        )

    def _identity(self) -> dict[str, Any]:
        kernel = self._order.kernel
        # Another version of the kit is another configuration: its sessions would find no run to continue.
        return {
            "kernel": str(self._ref),
            "notebook": kernel.notebook.stem,
            "values": dict(kernel.values),
            "kit": __version__,
        }

    def _make_way(self) -> None:
        """With ``fresh`` move what is there aside; a run folder that is no chain's is refused."""
        out, folder = self._order.out, self._folder
        if self._order.fresh:
            if folder.root.exists():
                FileLock(folder.lock).acquire().release()  # nobody works on it
            for path in (folder.root, out):
                if path.exists():
                    logger.warning("What was in %s is now in %s.", path, move_aside(RunFolder(path)))
        elif not folder.state.exists() and out.is_dir() and any(out.iterdir()):
            raise UsageError(
                f"{out} holds something already. --fresh moves it aside, or give another --out.", "--fresh"
            )

    def _save(self) -> None:
        write_state(self._folder.state, self._state)

    def _found(self) -> dict[str, Any]:
        state = self._state
        status = (
            "complete" if state.complete else "stopped" if state.stopped.startswith("limit:") else "failed"
        )
        return {
            "kernel": str(self._ref),
            "run_dir": str(self._order.out),
            "chain": str(self._folder.root),
            "status": status,
            "reason": "the run is complete" if state.complete else state.stopped,
            "step": max(0, state.home_step),
            "total_timesteps": state.total_timesteps,
            "sessions": [vars(session) for session in state.sessions],
            "gpu_hours": state.gpu_hours,
            "forecast": state.forecast,
        }
