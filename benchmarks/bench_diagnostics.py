"""The log of our own environment with its diagnostics on: lines a step that ask to be written, and that are.

The incident wrote 38 lines a step; the target is at most 5 after throttling, with the policy that ships.
"""

from __future__ import annotations

import logging
from typing import Any

STEPS = 2_400  # ten episodes


def main() -> list[dict[str, Any]]:
    """Step the environment under the default throttle and count."""
    from kit.harness.throttle import LogThrottle
    from kit.traffic.scenarios import load_scenario

    lines: list[str] = []

    class Collect(logging.Handler):
        """Keeps what passes."""

        def emit(self, record: logging.LogRecord) -> None:
            """Keep one line."""
            lines.append(record.getMessage())

    logger = logging.getLogger("kit.traffic.diagnostics")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = Collect()
    logger.addHandler(handler)
    env = load_scenario("varying").make_env(0, diagnostics=True)
    env.action_space.seed(0)
    throttle = LogThrottle()
    with throttle.install(logger, streams=False):
        env.reset(seed=0)
        for step in range(STEPS):
            throttle.step(step)
            *_, truncated, _ = env.step(int(env.action_space.sample()))
            if truncated:
                env.reset()
        asked = sum(count.seen for count in throttle.counts().values()) / STEPS
    logger.removeHandler(handler)
    passed = len(lines) / STEPS
    print(f"lines a step: {asked:.1f} asked for, {passed:.2f} written (target: at most 5)")
    return [
        {
            "name": "log lines a step, diagnostics on, throttled",
            "value": passed,
            "unit": "lines/step",
            "against": f"unthrottled: {asked:.1f} lines/step, target at most 5",
            "ratio": passed / asked,
        }
    ]


if __name__ == "__main__":
    main()
