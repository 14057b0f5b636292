"""The command line of the training kit: times, forecasts, runs, verifies and packages notebooks.

Exit codes: 0 complete, fits, or in order · 1 failed · 2 bad usage · 3 does not fit · 4 stopped early and resumable ·
5 integrity · 6 ended by the hard deadline.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cli_options as options
from cli_options import Parser
from kit.errors import KitError, LeftRunningError, UsageError
from kit.harness.finite import finite

WATCHED = ("memory_limit", "disk_limit", "hang_limit", "end_hang")
"""Options of a session that the watchdog sees to; no notebook needs a parameter for them."""
TAKEN_UP_AGAIN = ("logs", "pull", "chain")
"""Commands that wait for Kaggle: interrupted, they are called again."""


@dataclass(frozen=True)
class Command:
    """One command: what it is for, what it takes, and what it does: (data for ``--json``, text, exit code)."""

    help: str
    target: str
    add_options: Callable[[Parser], None]
    act: Callable[[argparse.Namespace], tuple[dict[str, Any], str, int]]


def parser(words: Sequence[str] = ()) -> Parser:
    """Return the parser of all commands; ``words`` are those it will get, for its errors."""
    shared = Parser(add_help=False, allow_abbrev=False)
    shared.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object on stdout"
    )
    Parser.words, Parser.commands = words, COMMANDS
    top = Parser(
        prog="validation_cli.py", description=__doc__.split("\n")[0], parents=[shared], allow_abbrev=False
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name, command in COMMANDS.items():
        made = commands.add_parser(
            name, help=command.help, description=command.help, parents=[shared], allow_abbrev=False
        )
        made.add_argument("target", metavar=command.target)
        command.add_options(made)
    return top


def quick_test(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Run the notebook small and forecast the full run."""
    from kit.notebooks.quick_test import quick_test as run_quick_test
    from kit.report.preflight import preflight_brief
    from kit.report.terminal import forecast_text, summary_text

    summary = run_quick_test(_launch(arguments, quick_test=True), _limits(arguments))
    checks = preflight_brief(summary["preflight"])
    if summary["status"] != "complete":
        return summary, f"{checks}\n{summary_text(summary, summary['run_dir'])}", _code(summary)
    text = f"{checks}\n{forecast_text(summary['forecast'])}"
    if not summary["preflight"]["passed"]:
        return summary, text, 1
    return summary, text, 0 if summary["forecast"]["verdict"] == "fit" else 3


def preflight(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Run the quick test and every check around it."""
    from kit.notebooks.preflight import preflight as run_preflight
    from kit.report.preflight import preflight_text

    found = run_preflight(_launch(arguments, quick_test=True), _limits(arguments))
    return found, preflight_text(found), 0 if found["passed"] else 1


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Run the notebook, or continue it."""
    from kit.harness.summary import read_json
    from kit.notebooks.launch import NotebookRun
    from kit.notebooks.preflight import enter
    from kit.report.terminal import results_text, summary_text

    launch = _launch(arguments, quick_test=False)
    if not arguments.skip_checks:
        enter(launch, _limits(arguments))
    launched = NotebookRun(launch)
    summary = launched.run()
    results = read_json(launched.folder.results) if summary["status"] == "complete" else {}
    parts = [text] if (text := results_text(results)) else []
    parts.append(summary_text(summary, str(launched.folder.root)))
    return {**summary, "run_dir": str(launched.folder.root)}, "\n".join(parts), _code(summary)


def extrapolate(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Forecast again from a quick test."""
    from kit.harness.run_folder import RunFolder
    from kit.report.terminal import forecast_text
    from kit.timing.prediction import forecast_of

    found = forecast_of(RunFolder(Path(arguments.target)), arguments.timesteps, _limits(arguments))
    return found, forecast_text(found), 0 if found["verdict"] == "fit" else 3


def history(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Show what forecasts stand on, or add to it."""
    from kit.report.history import history_text
    from kit.timing.history_answer import history_answer

    found = history_answer(arguments.target)
    return found, history_text(found), 0


def drill(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Kill the run again and again, and compare."""
    from kit.notebooks import find_notebook, parse_settings
    from kit.notebooks.drill import Drill, DrillOrder, passed
    from kit.notebooks.launch import parameters_of, refuse_options
    from kit.report.drill import drill_text

    notebook = find_notebook(arguments.target)
    refuse_options(arguments.set)
    values = parse_settings(arguments.set, parameters_of(notebook))
    order = DrillOrder(notebook, values, arguments.out, arguments.kills, arguments.seed, arguments.fresh)
    found = Drill(order, tell=lambda line: print(line, file=sys.stderr, flush=True)).run()
    return found, drill_text(found), 0 if passed(found) else 1


def rehearse(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Run the notebook on a stand-in for the Kaggle machine."""
    from kit.harness.deadline import parse_duration
    from kit.harness.size import parse_size
    from kit.harness.summary import read_json
    from kit.notebooks import find_notebook, parse_settings
    from kit.notebooks.launch import parameters_of, refuse_options
    from kit.remote.rehearse_notebook import NotebookRehearsal, exit_code, rehearse_notebook
    from kit.report.rehearsal import rehearsal_text
    from kit.report.terminal import results_text

    notebook = find_notebook(arguments.target)
    refuse_options(arguments.set)
    order = NotebookRehearsal(
        notebook,
        parse_duration(arguments.limit),
        parse_settings(arguments.set, parameters_of(notebook)),
        arguments.out,
        arguments.fresh,
        parse_size(arguments.memory_limit, "--memory-limit"),
        parse_size(arguments.disk_limit, "--disk-limit"),
        parse_duration(arguments.told) if arguments.told else None,
        arguments.slug,
    )
    summary = rehearse_notebook(order)
    results = read_json(order.folder.results) if summary["status"] == "complete" else {}
    parts = [results_text(results)] if "evaluation" in results else []
    return summary, "\n".join([*parts, rehearsal_text(summary)]), exit_code(summary)


def colab(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Build the notebook for Colab."""
    from kit.notebooks import find_notebook, parse_settings
    from kit.notebooks.parameters import read_parameters
    from kit.remote.colab import ColabOrder, build_colab

    notebook = find_notebook(arguments.target)
    # No command line launches it there: what is an option here is set as a parameter.
    values = parse_settings(arguments.set, read_parameters(notebook))
    out = Path(arguments.out).expanduser()
    place = out.name if out.is_absolute() or ".." in out.parts else out.as_posix()
    order = ColabOrder(notebook, values, repository=arguments.repository, place=place)
    built = build_colab(order, out)
    size_bytes = built.stat().st_size
    there = (
        f"Push it to {order.repository} as {place}/{built.name}" if order.repository else "Upload it in Colab"
    )
    text = f"{built}: {size_bytes:,} bytes, with the kit in it. {there}, and choose Runtime, Run all."
    return {"notebook": str(built), "size_bytes": size_bytes}, text, 0


def verify(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Check checksums."""
    from kit.harness.verify import verify as verify_path
    from kit.report.terminal import verify_text

    report = verify_path(Path(arguments.target)).to_json()
    return report, verify_text(report, arguments.target), 0 if report["ok"] else 5


def package(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Make the archive from what is there."""
    from kit.notebooks.package import package_run
    from kit.report.terminal import summary_text

    summary = package_run(Path(arguments.target))
    return summary, summary_text(summary, arguments.target), 0


def unpack(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Check an archive and unpack it."""
    from kit.notebooks.unpack import unpack_run
    from kit.report.terminal import unpack_text

    found = unpack_run(Path(arguments.target), Path(arguments.out) if arguments.out else None)
    return found, unpack_text(found), 0 if found["ok"] else 5


def budget(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Make the document of a compute budget."""
    from kit.report.budget import document_path, write_budget
    from kit.report.budget_chart import FILE, draw_budget
    from kit.report.budget_terminal import budget_text
    from kit.timing.budget import read_budget, read_probe, record_probe

    path = Path(arguments.target)
    if arguments.stage and not arguments.record:
        raise UsageError("--stage is about a probe's result. Give that too: --record probe.json.", "--record")
    if arguments.record:
        probe = read_probe(Path(arguments.record))
        found = record_probe(path, probe, stage=arguments.stage, name=arguments.record)
    else:
        found = read_budget(path)
    data = found.as_json()
    document = write_budget(data, document_path(path, arguments.out))
    chart = draw_budget(data, document.with_name(FILE))
    data |= {"document": str(document), "chart": str(chart)}
    return data, budget_text(data), 0


def memory(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Estimate what a training holds, or print the tables of models by cards."""
    from kit.harness.size import parse_size
    from kit.report.memory import memory_text, tables_text
    from kit.timing.memory.answer import algorithm_answer, is_algorithm, memory_answer, parse_generate
    from kit.timing.memory.tables import memory_tables
    from kit.timing.memory.training_setup import ALL_LINEAR, TrainingSetup

    if arguments.target == "table":
        tables = memory_tables()
        return {"tables": tables}, tables_text(tables), 0
    room = parse_size(arguments.vram, "--vram") if arguments.vram else None
    if is_algorithm(arguments.target):
        named = (arguments.target, arguments.env, arguments.policy, arguments.n_envs)
        found = algorithm_answer(*named, arguments.set, room)
    else:
        names = ("length", "batch", "dtype", "optimizer", "lora_rank", "checkpointing", "attention")
        given = {name: getattr(arguments, name) for name in (*names, "reference_models", "value_models")}
        targets = tuple(arguments.lora_targets.split(",")) if arguments.lora_targets else ALL_LINEAR
        setup = TrainingSetup(**given, lora_targets=targets)
        found = memory_answer(arguments.target, setup, room, parse_generate(arguments.generate))
    return found, memory_text(found), 3 if found["fits"] is False else 0


def push(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Push a notebook to Kaggle, or build what would be pushed."""
    from kit.remote.client import KaggleClient
    from kit.remote.command_orders import quick_launch, run_folder_for
    from kit.remote.outcome import exit_code_of_run
    from kit.remote.push import Push, PushOrder, build_only, push_and_wait
    from kit.report.remote import pull_text, push_text

    launch = _launch(arguments, quick_test=False)
    kernel = _kernel_order(arguments, launch)
    out = run_folder_for(arguments.out, launch.notebook.stem, kernel.slug)
    folder = Path(arguments.folder).absolute() if arguments.folder else out.with_name(f"{out.name}.kernel")
    quick = None if arguments.skip_checks else quick_launch(launch, f"{out}-quick")
    order = PushOrder(kernel, folder, quick)
    if arguments.build_only:
        found = build_only(order)
        return found, push_text(found), 0
    client = KaggleClient()
    pushing = Push(client, order, _tell)
    if not arguments.wait:
        found = pushing.run()
        return found, push_text(found), 0
    every_s = _every_s(arguments)
    found = push_and_wait(pushing, client, out, tell=_tell, fresh=arguments.fresh, every_s=every_s)
    return found, f"{push_text(found)}\n{pull_text(found)}", exit_code_of_run(found)


def status(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Say how a kernel stands."""
    from kit.harness.summary import write_json
    from kit.remote.client import KaggleClient
    from kit.remote.command_orders import kernel_of
    from kit.remote.outcome import exit_code_of, kernel_outcome
    from kit.report.remote import status_text

    client = KaggleClient()
    ref = kernel_of(arguments.target, client, owner=arguments.owner, slug=arguments.slug)
    found = kernel_outcome(client, ref)
    if arguments.out:
        write_json(Path(arguments.out), found)
    return found, status_text(found), exit_code_of(found)


def logs(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Show what a kernel said."""
    from kit.remote.client import KaggleClient
    from kit.remote.command_orders import kernel_of, line_writer
    from kit.remote.logs import show_logs
    from kit.remote.outcome import exit_code_of_state
    from kit.report.remote import logs_text

    client = KaggleClient()
    ref = kernel_of(arguments.target, client, owner=arguments.owner, slug=arguments.slug)
    stream = sys.stderr if getattr(arguments, "json", False) else sys.stdout
    with line_writer(arguments.out, lambda line: print(line, file=stream, flush=True)) as tell:
        found = show_logs(client, ref, tell, follow=arguments.follow)
    return found, logs_text(found), exit_code_of_state(found["kernel_status"])


def pull(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Bring a run home."""
    from kit.remote.client import KaggleClient
    from kit.remote.command_orders import kernel_of, run_folder_for
    from kit.remote.pull import Pull, PullOrder
    from kit.report.remote import pull_text

    client = KaggleClient()
    ref = kernel_of(arguments.target, client, owner=arguments.owner, slug=arguments.slug)
    out = run_folder_for(arguments.out, ref.notebook, ref.slug)
    found = Pull(client, PullOrder(ref, out, arguments.fresh, arguments.loose)).run()
    return found, pull_text(found), 0 if found["ok"] else 5


def chain(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Push as many sessions as the run needs."""
    from kit.remote.chain import Chain
    from kit.remote.chain_order import ChainOrder
    from kit.remote.client import KaggleClient
    from kit.remote.command_orders import quick_launch, run_folder_for
    from kit.report.remote import chain_text

    launch = _launch(arguments, quick_test=False)
    kernel = _kernel_order(arguments, launch)
    out = run_folder_for(arguments.out, launch.notebook.stem, kernel.slug)
    order = ChainOrder(
        kernel=kernel,
        out=out,
        quick=None if arguments.skip_checks else quick_launch(launch, f"{out}-quick"),
        max_sessions=arguments.max_sessions,
        max_gpu_hours=arguments.max_gpu_hours,
        by_dataset=arguments.by_dataset,
        retry=arguments.retry,
        fresh=arguments.fresh,
        every_s=_every_s(arguments),
    )
    found = Chain(KaggleClient(temporary=out.with_name(f"{out.name}.chain") / "uploads"), order, _tell).run()
    return found, chain_text(found), {"complete": 0, "stopped": 4}.get(found["status"], 1)


def _kernel_order(arguments: argparse.Namespace, launch: Any) -> Any:
    from kit.remote.command_orders import kernel_order

    names = ("limit", "owner", "slug", "title", "gpu", "internet")
    given = {name: getattr(arguments, name) for name in names}
    return kernel_order(launch, **given, datasets=arguments.dataset)


def _every_s(arguments: argparse.Namespace) -> float:
    from kit.harness.deadline import parse_duration

    return parse_duration(arguments.every)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _limits(arguments: argparse.Namespace) -> Any:
    from kit.harness.deadline import Limits

    given = {name: getattr(arguments, f"{name}_limit", "") or None for name in ("soft", "hard")}
    return Limits.resolve(session=arguments.limit or None, **given)


def _launch(arguments: argparse.Namespace, *, quick_test: bool) -> Any:
    from kit.errors import choose
    from kit.harness.clock import process_began_s
    from kit.harness.scaling import ON_PRESSURE
    from kit.notebooks import find_notebook, parse_settings
    from kit.notebooks.launch import Launch, parameters_of, refuse_options
    from kit.notebooks.progress import RunProgress
    from kit.options import SessionOptions

    notebook = find_notebook(arguments.target)
    refuse_options(arguments.set)
    values = parse_settings(arguments.set, parameters_of(notebook))
    offered = {
        "soft_limit": arguments.soft_limit,
        "hard_limit": arguments.hard_limit,
        "session_limit": arguments.limit,
        "on_pressure": getattr(arguments, "on_pressure", ""),
    }
    options = {
        name: value for name, value in offered.items() if value
    }  # the notebook's own defaults hold else
    if "on_pressure" in options:
        choose("on_pressure", options["on_pressure"], dict.fromkeys(ON_PRESSURE))
    watched = {name: getattr(arguments, name, None) for name in WATCHED}
    handed = {name: value for name, value in watched.items() if value is not None}
    handed |= {name: True for name in ("trust", "skip_checks") if getattr(arguments, name, False)}
    _limits(arguments)  # a limit that cannot be read is refused before a kernel is started
    SessionOptions.of(**handed)
    progress = RunProgress(notebook.stem, sys.stderr)
    fresh = getattr(arguments, "fresh", False)
    launched_s = process_began_s() if arguments.is_process else None
    return Launch(notebook, values, arguments.out, options, fresh, quick_test, progress, handed, launched_s)


def _code(summary: dict[str, Any]) -> int:
    if summary["reason"] == "hard_deadline":
        return 6
    return {"complete": 0, "stopped": 4}.get(summary["status"], 1)


COMMANDS = {
    "quick-test": Command(
        "run it small, measure every phase, forecast the full run",
        "NOTEBOOK",
        options.limit_options,
        quick_test,
    ),
    "preflight": Command(
        "the checks before a long run: can it learn, can it be saved",
        "NOTEBOOK",
        options.limit_options,
        preflight,
    ),
    "run": Command("the full run; resumes by itself", "NOTEBOOK", options.run_options, run),
    "drill": Command(
        "kill the run again and again, and compare it with an undisturbed one",
        "NOTEBOOK",
        options.drill_options,
        drill,
    ),
    "rehearse": Command(
        "run it on a stand-in for the Kaggle machine, killed at the limit; again: the next session",
        "NOTEBOOK",
        options.rehearsal_options,
        rehearse,
    ),
    "colab": Command(
        "build a notebook that runs on Colab by itself, with a badge that opens it",
        "NOTEBOOK",
        options.colab_options,
        colab,
    ),
    "extrapolate": Command(
        "the forecast again, for other steps or limits", "RUN", options.forecast_options, extrapolate
    ),
    "history": Command(
        "the past runs that intervals come from; adds those of a file or a run that came home",
        "show|FILE|RUN",
        options.no_options,
        history,
    ),
    "memory": Command(
        "what a training holds, before it starts: a language model's, or an algorithm's",
        "SHAPE|CONFIG|ALGORITHM|table",
        options.memory_options,
        memory,
    ),
    "verify": Command(
        "check the checksums of an archive, a run folder or a checkpoint", "PATH", options.no_options, verify
    ),
    "package": Command("make the archive from whatever a dead run left", "RUN", options.no_options, package),
    "unpack": Command(
        "check an archive, unpack it, say how to continue the run in it",
        "ARCHIVE",
        options.unpack_options,
        unpack,
    ),
    "push": Command(
        "push a notebook to Kaggle: checks, forecast and cost first",
        "NOTEBOOK",
        options.one_push_options,
        push,
    ),
    "status": Command(
        "how a kernel on Kaggle stands, and its run", "NOTEBOOK|OWNER/SLUG", options.status_options, status
    ),
    "logs": Command(
        "what a kernel on Kaggle says, or said", "NOTEBOOK|OWNER/SLUG", options.logs_options, logs
    ),
    "pull": Command(
        "bring a run home from Kaggle, verified, as a run folder",
        "NOTEBOOK|OWNER/SLUG",
        options.pull_options,
        pull,
    ),
    "chain": Command(
        "as many sessions on Kaggle as the run needs; call it again whatever happened",
        "NOTEBOOK",
        options.chain_options,
        chain,
    ),
    "budget": Command(
        "COMPUTE_BUDGET.md from a budget file, every figure marked and checked",
        "CONFIG",
        options.budget_options,
        budget,
    ),
}
"""The commands by name; exit codes are those of the module's docstring."""


def _failed(error: KitError, *, as_json: bool) -> int:
    print(f"error: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": str(error), "nearest": getattr(error, "nearest", None)}))
    return error.exit_code


def _interrupted(words: Sequence[str]) -> KitError:
    """Return what is said of an interruption while modules were imported, or files read."""
    command = next((word for word in words if word in COMMANDS), "")
    if command in TAKEN_UP_AGAIN:
        return LeftRunningError(
            "Interrupted before anything was asked for. What runs at Kaggle goes on; the same command takes it up."
        )
    return KitError(
        "Interrupted before the push: nothing was pushed." if command == "push" else "interrupted."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Without ``arguments`` it is what this process was started for."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    as_json = "--json" in words
    try:
        chosen = parser(words).parse_args(words, argparse.Namespace(is_process=arguments is None))
        data, text, code = COMMANDS[chosen.command].act(chosen)
    except KeyboardInterrupt:  # what runs long handles it itself
        return _failed(_interrupted(words), as_json=as_json)
    except KitError as error:
        return _failed(error, as_json=as_json)
    print(json.dumps(finite(data), allow_nan=False) if as_json else text)
    return code


if __name__ == "__main__":
    sys.exit(main())
