"""The budget: figures resolved, the total, Kaggle's terms and the findings; also as plain data, for others to show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.timing.budget.checks import find
from kit.timing.budget.entry import MARKS
from kit.timing.budget.fields import GROUPS
from kit.timing.budget.figures import Figure, resolve
from kit.timing.budget.findings import Finding
from kit.timing.budget.plan_file import PlanFile, parse_plan
from kit.timing.budget.quantity import Quantity
from kit.timing.budget.quota import Quota, quota
from kit.timing.budget.show import show_figure, unit_of
from kit.timing.budget.totals import Cost, StageCost, Total, total
from kit.timing.budget.yaml_file import read_text

FORMULA = "one-time + core × seeds + ablations + online × seeds + contingency"


@dataclass(frozen=True)
class Budget:
    """A budget that adds up: figures by name (``sft.vram``), the total, Kaggle's terms, findings."""

    plan: PlanFile
    figures: dict[str, Figure]
    total: Total
    quota: Quota
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; every range is ``{low, high}``, the unit is in the key or beside it."""
        currency, marks = self.total.currency, Counter(figure.mark for figure in self.figures.values())
        return {
            "title": self.plan.title,
            "file": self.plan.file,
            "formula": FORMULA,
            "currency": currency,
            "total": _cost(self.total.all, currency),
            "before_contingency": _cost(self.total.before, currency),
            "contingency": _cost(self.total.contingency, currency),
            "groups": [
                {"name": name, "title": GROUPS[name], **_cost(cost, currency)}
                for name, cost in self.total.groups.items()
            ],
            "without": list(self.plan.without),
            "stages": [self._stage(one) for one in self.total.stages],
            "kaggle": self._kaggle(),
            "findings": [vars(finding) for finding in self.findings],
            "marks": {mark: marks[mark] for mark in MARKS},
            "mark_meanings": dict(MARKS),
            "plan": self._section("plan"),
            "cards": [{"name": card, "figures": self._section(f"cards.{card}")} for card in self.plan.cards],
            "shared": self._section("figures"),
        }

    def _stage(self, one: StageCost) -> dict[str, Any]:
        stage, currency = one.stage, self.total.currency
        return {
            "name": stage.name,
            "title": stage.title,
            "note": stage.note,
            "kind": stage.kind,
            "group": stage.group,
            "cards": list(stage.cards),
            "relative_to": stage.relative_to or None,
            "repeats": _range((one.repeats.low, one.repeats.high)),
            "run": _cost(one.run, currency),
            "total": _cost(one.total, currency),
            "kaggle": self.quota.stages[stage.name],
            "figures": [_figure(self.figures[f"{stage.name}.{field}"]) for field in stage.fields],
        }

    def _kaggle(self) -> dict[str, Any]:
        found = self.quota
        return {
            "weeks": _range(found.weeks),
            "weeks_billed": _range(found.weeks_billed),
            "sessions": _range(found.sessions),
            "slowdown": _range(found.slowdown),
            "stages": found.stages,
            "figures": self._section("kaggle"),
        }

    def _section(self, prefix: str) -> list[dict[str, Any]]:
        return [_figure(figure) for name, figure in self.figures.items() if name.rpartition(".")[0] == prefix]


def read_budget(path: Path) -> Budget:
    """Read a budget file and work everything out.

    Raises:
        UsageError: The file cannot be read, a figure is missing, negative or in the wrong unit, a name is unknown, a
        formula is circular; names file, line and figure.
    """
    return parse_budget(read_text(path), path.name)


def parse_budget(text: str, name: str) -> Budget:
    """Work out the budget that the text of a file called ``name`` gives; see ``read_budget``."""
    plan = parse_plan(text, name)
    figures = resolve(plan)
    summed = total(plan, figures)
    return Budget(plan, figures, summed, quota(figures, summed), find(plan, figures, summed))


def _cost(cost: Cost, currency: str) -> dict[str, Any]:
    return {
        "gpu_hours": _range(cost.hours.in_unit("GPU-h")),
        "planning_gpu_hours": _range(cost.planned.in_unit("GPU-h")),
        "machine_hours": _range(cost.machine.in_unit("h")),
        "storage_gb": _range(cost.storage.in_unit("GB")),
        "storage_known": cost.storage_known,
        "money": _range(cost.money.in_unit(currency)),
    }


def _range(pair: tuple[float, float]) -> dict[str, float]:
    return {"low": pair[0], "high": pair[1]}


def _figure(figure: Figure) -> dict[str, Any]:
    entry, quantity = figure.entry, figure.quantity
    unit = unit_of(entry.field, quantity)
    ends = quantity.in_unit(unit) if quantity is not None and unit != "?" else None
    return {
        "name": entry.name,
        "meaning": entry.field.meaning if entry.field else entry.name.rpartition(".")[2].replace("_", " "),
        "text": show_figure(entry.field, quantity),
        "low": ends[0] if ends else None,
        "high": ends[1] if ends else None,
        "unit": unit,
        "mark": figure.mark,
        "formula": figure.formula.text if figure.formula else None,
        "estimated_before": _before(figure),
        "assumed": entry.assumed,
        "source": entry.source,
        "machine": entry.machine,
        "date": entry.date,
        "line": entry.place.line,
    }


def _before(figure: Figure) -> str:
    """Return the estimate that a measurement or a projection has replaced, "" where none was."""
    literal: Quantity | None = figure.entry.literal
    replaced = figure.formula is not None and literal is not None
    return show_figure(figure.entry.field, literal) if replaced else figure.entry.was
