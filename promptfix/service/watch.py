"""What the service tells about itself: figures, log lines and kept traces."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from promptfix.records import Answer
from promptfix.service import logs
from promptfix.service.limits import Gate
from promptfix.service.reading import Seen
from promptfix.service.requests import Asked
from promptfix.service.settings import ServiceSettings
from promptfix.store import Store

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
"""Seconds."""


class Figures:
    """The figures for Prometheus, in a registry of their own."""

    def __init__(self, gate: Gate, store: Store | None) -> None:
        """Count from zero; the queue and the store are asked when somebody looks."""
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "promptfix_requests", "Requests by what came of them", ["path", "action"],
            registry=registry,
        )  # fmt: skip
        self.findings = Counter(
            "promptfix_findings", "Misunderstandings found", ["detector"], registry=registry
        )
        self.seconds = Histogram(
            "promptfix_step_seconds", "Seconds by step", ["step"], registry=registry,
            buckets=BUCKETS,
        )  # fmt: skip
        self.tokens = Counter("promptfix_tokens", "Tokens by use", ["use"], registry=registry)
        self.failures = Counter(
            "promptfix_failures", "Failures by kind", ["kind"], registry=registry
        )
        live = {
            "promptfix_running": ("Requests being worked on", lambda: gate.running),
            "promptfix_waiting": ("Requests waiting for their turn", lambda: gate.waiting),
            "promptfix_traces_lost": ("Traces not kept", lambda: store.lost if store else 0),
        }
        for name, (what, ask) in live.items():
            Gauge(name, what, registry=registry).set_function(ask)

    def text(self) -> bytes:
        """All figures, in Prometheus's text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True)
class Watch:
    """Sees requests go by."""

    settings: ServiceSettings
    figures: Figures
    store: Store | None

    def seen(self, asked: Asked, seen: Seen) -> Seen:
        """Keep what was seen, before it is answered."""
        if self.store is None:
            return seen
        keep = self.store.put(seen.trace, path=asked.kind, request_id=asked.id, model=asked.model)
        return seen._replace(ticket=keep)

    def answered(
        self, asked: Asked, seen: Seen | None, answer: Answer | None, seconds: float
    ) -> Seen | None:
        """Note what came of a request, and how long answering took; returns it all."""
        self.figures.seconds.labels("answer").observe(seconds)
        if answer:
            self.figures.tokens.labels("prompt").inc(answer.prompt_tokens)
            self.figures.tokens.labels("completion").inc(answer.completion_tokens)
        action = seen.trace.action if seen else "skipped"
        self.figures.requests.labels(asked.kind, action).inc()
        if seen is None:
            logs.passed(asked.kind)
            return None
        self._count(seen)
        spent = seen.trace.seconds | {"answer": seconds}
        trace = seen.trace.model_copy(update={"answer": answer, "seconds": spent})
        if self.store:
            self.store.update(trace)
        logs.served(asked.kind, trace, content=self.settings.log_content)
        return seen._replace(trace=trace)

    def repaired(self, path: str, request_id: str, seen: Seen) -> None:
        """Note a prompt that was looked at and is not answered here."""
        trace = seen.trace
        self.figures.requests.labels(path, trace.action).inc()
        self._count(seen)
        if self.store:
            self.store.put(trace, path=path, request_id=request_id)
        logs.served(path, trace, content=self.settings.log_content)

    def broken(self, error: Exception) -> None:
        """Note what broke an answer off."""
        self.figures.failures.labels(type(error).__name__).inc()

    def _count(self, seen: Seen) -> None:
        self.figures.tokens.labels("annotation").inc(seen.annotation_tokens)
        if seen.trace.action == "error":
            self.figures.failures.labels("reading").inc()
        for finding in seen.trace.findings:
            self.figures.findings.labels(finding.detector).inc()
        for step, seconds in seen.trace.seconds.items():
            self.figures.seconds.labels(step).observe(seconds)
