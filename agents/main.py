"""The whole flow, in order. `faust -A agents.main worker` runs it as well as `groundswell worker`.

mentions.raw -> intake -> mentions.scored -> detect -> spikes -> alerts -> alerts -> notify
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import alerts, detect, intake, notify
from agents.http.server import serve
from streams.app import GroundswellApp
from streams.core.rules import load_rules
from streams.settings import SettingsError, load_settings
from streams.tracing import start_tracing

if TYPE_CHECKING:
    from streams.core.rules import Rules
    from streams.settings import Settings


def build(settings: Settings) -> GroundswellApp:
    """Return the app with every agent registered.

    Raises:
        SettingsError: the rules file cannot be read; or the HTTP server's settings are unfit.
        RulesError: the rules file is refused.
    """
    app = GroundswellApp(settings, _given(settings))
    start_tracing(app.conf.id)
    intake.register(app)
    detect.register(app)
    alerts.register(app)
    notify.register(app)
    serve(app)
    return app


def _given(settings: Settings) -> tuple[Rules, str] | None:
    """The rules file that the worker was started with: what the topic `rules` begins with."""
    if settings.rules is None:
        return None
    try:
        text = settings.rules.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"GROUNDSWELL_RULES = {str(settings.rules)!r} cannot be read: {error}") from error
    return load_rules(text, where=str(settings.rules)), text


def __getattr__(name: str) -> GroundswellApp:
    """`faust -A agents.main` asks for `app`; nobody else reads the environment by importing this module."""
    if name == "app":
        app = build(load_settings())
        globals()["app"] = app
        return app
    raise AttributeError(name)
