"""Traces, where the standard variables of OpenTelemetry ask for them; where they do not, nothing is imported and nothing made.

One span for each bundle of an agent, one for each attempt to deliver. The names of attributes are OpenTelemetry's for
messaging. Texts, authors and ids of mentions are in none.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from streams.settings import SettingsError, traces_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP
    from opentelemetry.trace import Tracer

_OFF = nullcontext()
_tracer: Tracer | None = None


def start_tracing(group: str) -> None:
    """Send spans to where OTEL_EXPORTER_OTLP_ENDPOINT says, in the background. The SDK reads its other variables itself.

    Raises:
        SettingsError: spans are asked for, and the packages for them are not installed.
    """
    global _tracer  # noqa: PLW0603  one a process, as OpenTelemetry has it
    wanted_by = traces_wanted()
    if wanted_by is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise SettingsError(f"{wanted_by} asks for traces: pip install 'groundswell[otel]', or take it away") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "groundswell", "service.namespace": group}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("groundswell")


def bundle_span(agent: str, tp: TP, records: Sequence[ConsumerRecord]) -> AbstractContextManager[Any]:
    """Around what an agent does with the records of one fetch, until its outputs are acknowledged."""
    if _tracer is None:
        return _OFF
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": agent,
        "messaging.destination.name": tp.topic,
        "messaging.destination.partition.id": str(tp.partition),
        "messaging.batch.message_count": len(records),
        "messaging.kafka.offset": records[0].offset,
    }
    return _tracer.start_as_current_span(f"{agent} {tp.topic}", kind=SpanKind.CONSUMER, attributes=attributes)


def delivery_span(sink: str, key: str) -> AbstractContextManager[Any]:
    """Around one attempt to tell a notifier; `key` is the same on every attempt."""
    if _tracer is None:
        return _OFF
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    attributes = {
        "messaging.system": "groundswell",
        "messaging.operation.type": "send",
        "messaging.operation.name": "deliver",
        "messaging.destination.name": sink,
        "messaging.message.id": key,
    }
    return _tracer.start_as_current_span(f"deliver {sink}", kind=SpanKind.PRODUCER, attributes=attributes)


def note_outcome(span: Any, outcome: str) -> None:
    """What became of an attempt; all but `delivered` is an error."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    span.set_attribute("groundswell.outcome", outcome)
    if outcome != "delivered":
        span.set_attribute("error.type", outcome)
        span.set_status(StatusCode.ERROR)
