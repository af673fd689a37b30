"""Logs: one JSON object a line on standard error. What is about an incident carries `incident` or `attempt`."""

import json
import logging
import sys

import structlog

from agents.redaction import Redactor

# Without the frames' variables: they hold raw bodies and presented tokens, which no pattern would know for secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure(level: str) -> None:
    """Set up structlog and route the libraries' own loggers and warnings through it, warnings and worse only."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            _TRACEBACKS,
            _redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _TRACEBACKS,
                _redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.captureWarnings(True)  # noqa: FBT003 - the standard library's own signature
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def _redact(
    _logger: structlog.typing.WrappedLogger, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """No secret in any line, whatever a message quotes."""
    plain = json.loads(json.dumps(event, default=repr))
    redacted: dict[str, object] = Redactor().redact_json(plain)
    return redacted
