"""What the commands of validation_cli.py take: its parser, and one function that adds the options of each command."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from kit.errors import UsageError, nearest_match

OPTIONS: set[str] = set()
"""Every option of every command, for the nearest one to a misspelt one."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UsageErrors, with the nearest legal word.

    ``words`` are those that it gets, ``commands`` the legal names of commands.
    """

    words: Sequence[str] = ()
    commands: Collection[str] = ()

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        """Add an argument, and note its name."""
        OPTIONS.update(name for name in names if name.startswith("--"))
        return super().add_argument(*names, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of leaving."""
        options = [word.partition("=")[0] for word in self.words if word.startswith("--")]
        command = [word for word in self.words if not word.startswith("-")][:1]
        matches = [nearest_match(word, OPTIONS) for word in options if word not in OPTIONS]
        matches += [nearest_match(word, self.commands) for word in command if word not in self.commands]
        nearest = next(filter(None, matches), None)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        raise UsageError(f"{message}.{hint}", nearest)


def notebook_options(made: Parser) -> None:
    """Options of every command that takes a notebook."""
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a notebook parameter")
    made.add_argument("--out", default="", metavar="DIR", help="the folder of the run; of a drill, of two")


def limit_options(made: Parser) -> None:
    """Options of commands that run a notebook within limits."""
    notebook_options(made)
    made.add_argument("--limit", default="", metavar="TIME", help="what the machine grants in all, as 12h")
    made.add_argument("--soft-limit", default="", metavar="TIME", help="finish in time after this long")
    made.add_argument("--hard-limit", default="", metavar="TIME", help="finalise at once after this long")


def run_options(made: Parser) -> None:
    """Options of ``run``."""
    limit_options(made)
    made.add_argument("--on-pressure", default="", metavar="WHAT", help="report, reduce or tiers")
    made.add_argument("--fresh", action="store_true", help="move a run that is there aside")
    made.add_argument(
        "--trust",
        action="store_true",
        help="open pickled state that this machine did not write: it runs code",
    )
    made.add_argument(
        "--memory-limit", metavar="SIZE", help="stop, resumable, before it holds more, such as 12GB"
    )
    made.add_argument(
        "--disk-limit", metavar="SIZE", help="prune, then stop, before the run folder holds more"
    )
    made.add_argument("--hang-limit", metavar="TIME", help="report this long without a sign of life; 10m")
    made.add_argument("--skip-checks", action="store_true", help="begin a run whatever the cheap checks say")
    made.add_argument("--end-hang", action="store_true", default=None, help="end a run that hangs")


def drill_options(made: Parser) -> None:
    """Options of ``drill``."""
    notebook_options(made)
    made.add_argument("--kills", type=whole_number, default=5, metavar="N", help="how often; by default 5")
    made.add_argument("--seed", type=whole_number, default=0, metavar="S", help="of the plan of the kills")
    made.add_argument("--fresh", action="store_true", help="run the undisturbed run again, too")


def rehearsal_options(made: Parser) -> None:
    """Options of ``rehearse``."""
    notebook_options(made)
    made.add_argument("--limit", default="12h", metavar="TIME", help="kill it after this long, such as 60")
    made.add_argument(
        "--told", default="", metavar="TIME", help="the limit its session is told, where that differs"
    )
    made.add_argument("--fresh", action="store_true", help="move a run that is there aside")
    made.add_argument("--memory-limit", default="30GB", metavar="SIZE", help="what its processes may hold")
    made.add_argument("--disk-limit", default="20GB", metavar="SIZE", help="what /kaggle/working may hold")


def forecast_options(made: Parser) -> None:
    """Options of ``extrapolate``."""
    made.add_argument(
        "--timesteps", type=whole_number, metavar="N", help="total steps; by default those of the run"
    )
    made.add_argument("--limit", default="12h", metavar="TIME", help="what the machine grants in all")


def unpack_options(made: Parser) -> None:
    """Options of ``unpack``."""
    made.add_argument(
        "--out", default="", metavar="DIR", help="the run folder; by default beside the archive"
    )


def budget_options(made: Parser) -> None:
    """Options of ``budget``."""
    made.add_argument(
        "--out",
        default="",
        metavar="FILE",
        help="the document, or its folder; by default COMPUTE_BUDGET.md beside it",
    )
    made.add_argument(
        "--record", default="", metavar="PROBE", help="a probe's result (JSON), recorded in it first"
    )
    made.add_argument("--stage", default="", metavar="NAME", help="the stage that the probe is of")


def memory_options(made: Parser) -> None:
    """Options of ``memory``."""
    made.add_argument("--vram", default="", metavar="SIZE", help="what there is, such as 16GB or 15GiB")
    made.add_argument("--length", type=whole_number, default=2048, metavar="N", help="tokens in a sequence")
    made.add_argument("--batch", type=whole_number, default=1, metavar="N", help="sequences in one pass")
    made.add_argument("--dtype", default="bf16", metavar="TYPE", help="bf16, fp16 or fp32")
    made.add_argument("--optimizer", default="adamw", metavar="NAME", help="adamw, adamw8bit or sgd")
    made.add_argument(
        "--lora-rank", type=whole_number, default=0, metavar="R", help="train adapters alone; 0: all weights"
    )
    made.add_argument("--lora-targets", default="", metavar="A,B", help="by default all seven projections")
    made.add_argument(
        "--checkpointing", default="none", metavar="WHAT", help="none, activation, gradient or both"
    )
    made.add_argument("--attention", default="flash", metavar="KIND", help="flash, efficient or eager")
    made.add_argument(
        "--reference-models", type=whole_number, default=0, metavar="N", help="frozen copies beside it"
    )
    made.add_argument(
        "--value-models", type=whole_number, default=0, metavar="N", help="trained ones beside it"
    )
    made.add_argument(
        "--generate", default="", metavar="BxN", help="generates on the same card: B sequences of N tokens"
    )
    made.add_argument("--env", default="", metavar="ID", help="of an algorithm: its Gymnasium environment")
    made.add_argument("--policy", default="MlpPolicy", metavar="NAME", help="of an algorithm: its policy")
    made.add_argument("--n-envs", type=whole_number, default=1, metavar="N", help="of an algorithm: copies")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="its hyperparameters")


def no_options(made: Parser) -> None:
    """No options of its own."""
    del made


def kernel_options(made: Parser) -> None:
    """Options that name a kernel on Kaggle."""
    made.add_argument(
        "--owner", default="", metavar="NAME", help="your name at Kaggle; by default who is logged in"
    )
    made.add_argument("--slug", default="", metavar="SLUG", help="the kernel's; by default the notebook's")


def push_options(made: Parser) -> None:
    """Options of everything that pushes."""
    run_options(made)
    kernel_options(made)
    made.add_argument("--title", default="", metavar="TITLE", help="one that becomes the slug")
    made.add_argument("--gpu", action=argparse.BooleanOptionalAction, default=None, help="two T4, or none")
    made.add_argument(
        "--internet", action=argparse.BooleanOptionalAction, default=None, help="by default off"
    )
    made.add_argument("--dataset", action="append", default=[], metavar="OWNER/SLUG", help="attach a dataset")
    made.add_argument(
        "--every", default="30s", metavar="TIME", help="how often Kaggle is asked while it runs"
    )


def one_push_options(made: Parser) -> None:
    """Options of ``push``."""
    push_options(made)
    made.add_argument("--build-only", action="store_true", help="build the folder that is pushed, and stop")
    made.add_argument(
        "--folder", default="", metavar="DIR", help="where it is built; runs/<notebook>-kaggle.kernel"
    )
    made.add_argument("--wait", action="store_true", help="wait until it has ended, and bring the run home")


def chain_options(made: Parser) -> None:
    """Options of ``chain``."""
    push_options(made)
    made.add_argument(
        "--max-sessions", type=whole_number, default=20, metavar="N", help="in all; by default 20"
    )
    made.add_argument(
        "--max-gpu-hours", type=float, metavar="H", help="in all; by default what the account has"
    )
    made.add_argument("--by-dataset", action="store_true", help="hand every session's run over as a dataset")
    made.add_argument("--retry", action="store_true", help="go on after a session that brought nothing")


def logs_options(made: Parser) -> None:
    """Options of ``logs``."""
    kernel_options(made)
    made.add_argument("--out", default="", metavar="FILE", help="write the lines there, too")
    made.add_argument("--follow", "-f", action="store_true", help="as they come, until the kernel has ended")


def status_options(made: Parser) -> None:
    """Options of ``status``."""
    kernel_options(made)
    made.add_argument("--out", default="", metavar="FILE", help="write what --json prints there, too")


def pull_options(made: Parser) -> None:
    """Options of ``pull``."""
    kernel_options(made)
    made.add_argument(
        "--out", default="", metavar="DIR", help="the run folder; by default runs/<notebook>-kaggle"
    )
    made.add_argument("--fresh", action="store_true", help="move a run that is there aside")
    made.add_argument("--loose", action="store_true", help="take the loose files, not the archive")


def whole_number(text: str) -> int:
    """Read ``24_000`` or ``2e6``, like ``--set`` does."""
    try:
        value = float(text)
        if value == int(value):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number. Legal: 20, 24_000, 2e6")
