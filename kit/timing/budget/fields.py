"""The figures that a budget knows: what each is, its unit, and which of them a kind of stage cannot do without."""

from __future__ import annotations

from dataclasses import dataclass

from kit.timing.budget.units import Dimension, parse_unit

FRACTION = ("%", "x")


@dataclass(frozen=True)
class Field:
    """One figure.

    Attributes:
        meaning: what it is, in the words of the document.
        unit: in which it is shown; its dimension is the one that a value must have.
        nouns: what a value may count (``samples``); with FRACTION it must say ``%`` or ``x``.
        whole: a whole number, one at least.
        zero: may be nothing; every other figure is more than zero.
    """

    meaning: str
    unit: str = ""
    nouns: tuple[str, ...] = ()
    whole: bool = False
    zero: bool = False

    @property
    def dimension(self) -> Dimension:
        """Of a value."""
        return parse_unit(self.unit).dimension


STAGE_FIELDS = {
    "gpus": Field("GPUs at once", "GPU", whole=True),
    "runs": Field("runs", "runs", ("runs",), whole=True),
    "parameters": Field("parameters of the model", "Gparams", ("params",)),
    "bytes_per_parameter": Field("weights, gradients and optimiser, bytes a parameter", "B"),
    "vram": Field("memory of each GPU in use", "GB"),
    "batch_size": Field("batch size on each GPU", "", ("samples", "prompts"), whole=True),
    "accumulation": Field("gradient accumulation", "", ("steps", "x"), whole=True),
    "effective_batch": Field("effective batch size", "", ("samples", "prompts"), whole=True),
    "dataset_size": Field("samples or prompts", "", ("samples", "prompts")),
    "epochs": Field("epochs", "", ("epochs",)),
    "responses_per_prompt": Field("responses to a prompt", "", ("responses",), whole=True),
    "steps": Field("update steps", "", ("steps",)),
    "step_time": Field("time of a step", "s"),
    "samples_per_s": Field("samples a second, all GPUs together", "samples/s"),
    "time_per_epoch": Field("time of an epoch", "h"),
    "evaluation_overhead": Field("evaluation overhead", "%", FRACTION, zero=True),
    "cost_factor": Field("cost of a sample against the stage it is relative to", "x", FRACTION),
    "generation_to_update": Field("time generating over time updating", "x", FRACTION, zero=True),
    "generation_hours": Field("of a run, generating", "GPU-h", zero=True),
    "tasks": Field("tasks", "", ("tasks",), whole=True),
    "time_per_task": Field("time of a task", "h"),
    "duration": Field("duration", "h"),
    "cpu_cores": Field("CPU cores", "cores", ("cores",)),
    "ram": Field("memory of the host in use", "GB"),
    "gpu_hours": Field("GPU-hours of a run", "GPU-h"),
    "planning_budget": Field("planning budget of a run", "GPU-h"),
    "storage": Field("storage a run leaves", "GB", zero=True),
}
PLAN_FIELDS = {
    "seeds": Field("seeds", "seeds", ("seeds",), whole=True),
    "contingency": Field("contingency", "%", FRACTION, zero=True),
}
CARD_FIELDS = {"memory": Field("memory", "GB"), "price": Field("price", "USD/GPU-h", zero=True)}
KAGGLE_FIELDS = {
    "cards": Field("cards at once", "GPU", whole=True),
    "card_memory": Field("memory of a card", "GB"),
    "quota_per_week": Field("quota a week", "GPU-h"),
    "session": Field("a session", "h"),
    "slowdown": Field("time of an hour of the target card", "x", FRACTION),
}
COMMON = ("gpus", "vram", "gpu_hours", "storage")
KINDS = {
    "training": (
        *COMMON,
        "batch_size",
        "accumulation",
        "effective_batch",
        "dataset_size",
        "epochs",
        "time_per_epoch",
        "evaluation_overhead",
        "planning_budget",
    ),
    "reinforcement": (
        *COMMON,
        "dataset_size",
        "responses_per_prompt",
        "steps",
        "generation_to_update",
        "planning_budget",
    ),
    "analysis": (*COMMON, "duration"),
    "ablation": (*COMMON, "runs"),
    "simulation": (*COMMON, "duration", "cpu_cores", "ram"),
}
"""The kinds of stages, and the figures that each must give, be it as ``unknown``. Every other one is welcome."""
GROUPS = {
    "one_time": "One-time",
    "core": "Core, for each seed",
    "ablation": "Ablations",
    "online": "Online, for each seed",
}
PER_SEED = ("core", "online")
NEVER_UNKNOWN = ("gpus", "runs", "gpu_hours", "seeds", "contingency", "memory", "price", *KAGGLE_FIELDS)
