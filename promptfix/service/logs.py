"""JSON logs on stderr: ids, digests, counts and seconds. Never a prompt, an answer or a key."""

import logging
import sys
from typing import Any

import structlog

from promptfix.records import Trace

log = structlog.stdlib.get_logger("promptfix")


def configure() -> None:
    """Write one JSON object a line. For the process that serves; a library never calls this."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def begin(request_id: str) -> None:
    """Name the request in every line from here on."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


def served(path: str, trace: Trace, *, content: bool = False) -> None:
    """Note what came of a request; `content` adds what was asked and answered."""
    log.info(
        "served",
        path=path,
        trace_id=trace.id,
        action=trace.action,
        mode=trace.mode,
        detectors=[finding.detector for finding in trace.findings],
        verified=trace.verification and trace.verification.verified,
        lens=trace.lens,
        library=trace.library,
        prompt_tokens=trace.answer and trace.answer.prompt_tokens,
        completion_tokens=trace.answer and trace.answer.completion_tokens,
        seconds={step: round(spent, 6) for step, spent in trace.seconds.items()},
        **(_content(trace) if content else {}),
    )


def passed(path: str) -> None:
    """Note a request in which there was nothing to look at."""
    log.info("served", path=path, action="skipped")


def _content(trace: Trace) -> dict[str, Any]:
    return {
        "prompt": trace.prompt.text,
        "in_force": trace.in_force.text,
        "answer": trace.answer and trace.answer.text,
    }
