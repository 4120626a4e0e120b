"""Traces of a real worker, as an OpenTelemetry collector receives them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streams import tracing
from streams.settings import SettingsError
from streams.topics import ALERTS, RAW
from tests.faults.harness import Flow, new_story, until
from tests.samples import an_alert

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OTEL = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MENTIONS = 50


class Collector:
    """The other side: OTLP over HTTP, protobuf."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._server = TestServer(app)
        self.spans: list[tuple[str, dict[str, object], bool]] = []

    async def __aenter__(self) -> str:
        await self._server.start_server()
        return str(self._server.make_url("/")).rstrip("/")

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _take(self, request: web.Request) -> web.Response:
        told = ExportTraceServiceRequest.FromString(await request.read())
        for resource in told.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    values = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
                    self.spans.append((span.name, values, span.status.code == span.status.STATUS_CODE_ERROR))
        return web.Response(content_type="application/x-protobuf")


@pytest.fixture
async def collector(monkeypatch) -> AsyncIterator[Collector]:
    one = Collector()
    async with one as url:
        monkeypatch.setenv(OTEL[0], url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        yield one


@pytest.mark.kafka
async def test_each_bundle_and_each_attempt_to_deliver_is_a_span_and_no_word_of_anybody_is_in_one(
    kafka, prefix, tmp_path, collector
):
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=0.2) as flow:
        flow.start_worker("a")
        await flow.publish(new_story(5).go_on(MENTIONS))
        await flow.settled()
        await say_an_alert(flow)

        async def both_are_told() -> bool:
            names = {name for name, *_ in collector.spans}
            return {f"intake {RAW.full_name(flow.settings)}", "deliver log"} <= names

        await until("spans of bundles and of a delivery have come", both_are_told, 30)
        raw = RAW.full_name(flow.settings)
        bundles = [values for name, values, _ in collector.spans if name == f"intake {raw}"]
        assert sum(int(values["messaging.batch.message_count"]) for values in bundles) >= MENTIONS
        assert {values["messaging.system"] for values in bundles} == {"kafka"}
        assert {values["messaging.destination.name"] for values in bundles} == {raw}
        [(values, failed)] = [(values, failed) for name, values, failed in collector.spans if name == "deliver log"]
        assert (values["groundswell.outcome"], values["messaging.destination.name"], failed) == (
            "delivered",
            "log",
            False,
        )
        assert "phone" not in repr(collector.spans)


async def say_an_alert(flow: Flow) -> None:
    """As the alerts agent would: what is under test is what becomes of it."""
    from tests.faults.oracle import beginning

    at = beginning()
    alert = an_alert(brand="acme", severity="critical", title="my phone burns", at=at)
    await flow._producer.send_and_wait(ALERTS.full_name(flow.settings), key=b"a1", value=msgspec.json.encode(alert))


def test_where_nobody_asks_for_traces_nothing_of_opentelemetry_is_touched(monkeypatch):
    for name in OTEL:
        monkeypatch.delenv(name, raising=False)
    tracing.start_tracing("group")
    with tracing.bundle_span("intake", None, []) as span:
        tracing.note_outcome(span, "refused")
    assert span is None


def test_traces_that_are_asked_for_and_cannot_be_made_are_a_refusal_that_says_what_to_install(monkeypatch):
    monkeypatch.setenv(OTEL[1], "http://127.0.0.1:4318/v1/traces")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.*groundswell\[otel\]"):
        tracing.start_tracing("group")
