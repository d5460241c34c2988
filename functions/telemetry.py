"""What a function says of itself, by Powertools: JSON lines with Lambda's keys, and metrics in the embedded format."""

import logging
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from core import log
from core.types.receipt import Receipt

NAMESPACE = "Patchbay"
_NONE = "none"  # a dimension must have a value

Handle = Callable[[Any, Any], Any]


class Telemetry:
    """One stream on stdout: core's lines and the metrics of each invocation. No caller's data is in either."""

    def __init__(self, service: str, level: str) -> None:
        # core decides what is written, also when the level is changed while it runs.
        self._logger = Logger(service=service, level="DEBUG", location=None)
        self._lines = logging.getLogger(service)
        self._lines.propagate = False  # Lambda's own handler would write each line again
        self._metrics = Metrics(namespace=NAMESPACE, service=service)
        self._receipt: Receipt | None = None
        log.divert(level, self._write, self._observe, "mangum")

    def around(self, handle: Handle) -> Handle:
        """With Lambda's keys on every line of an invocation, and its metrics flushed at its end."""
        counted = self._metrics.log_metrics(handle, capture_cold_start_metric=True)
        # Said outright, because an environment variable would have whole events logged.
        return self._logger.inject_lambda_context(counted, log_event=False)

    def begin(self) -> None:
        self._receipt = None

    def end(self, status: int | None, ms: float, request_id: str) -> None:
        """The metrics of an invocation. `status` is None when it failed without an answer."""
        add, receipt = self._metrics.add_metric, self._receipt
        outcome = receipt.outcome if receipt else _outcome(status)
        target = receipt.target if receipt else None
        self._metrics.add_dimension("capability", receipt.request.capability.value if receipt else _NONE)
        self._metrics.add_dimension("provider", target.provider if target else _NONE)
        self._metrics.add_dimension("outcome", outcome)
        self._metrics.add_metadata("function_request_id", request_id)
        add("Requests", MetricUnit.Count, 1)
        add("Errors", MetricUnit.Count, int(status is None or status >= 500 or outcome == "cut"))
        add("Latency", MetricUnit.Milliseconds, round(ms, 1))
        if receipt is None:
            return
        self._metrics.add_metadata("decision", receipt.id)
        add("Attempts", MetricUnit.Count, len(receipt.attempts))
        add("CacheHits", MetricUnit.Count, int(receipt.cache == "hit"))
        add("Fallbacks", MetricUnit.Count, sum(one.decision == "next" for one in receipt.attempts))
        if receipt.first_ms is not None:
            add("FirstTokenLatency", MetricUnit.Milliseconds, round(receipt.first_ms, 1))
        if receipt.cost.nano is not None:
            add("CostNanoUSD", MetricUnit.NoUnit, receipt.cost.nano)

    def _observe(self, receipt: Receipt) -> None:
        self._receipt = receipt

    def _write(self, level: int, facts: dict[str, Any]) -> None:
        extra = dict(facts)
        self._lines.log(level, extra.pop("message", facts["event"]), extra=extra)


def _outcome(status: int | None) -> str:
    if status is None:
        return "failed"
    return "ok" if status < 400 else "refused" if status < 500 else "error"
