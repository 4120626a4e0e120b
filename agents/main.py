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
    from streams.settings import Settings


def build(settings: Settings) -> GroundswellApp:
    """Return the app with every agent registered.

    Raises:
        SettingsError: no rules file, or it cannot be read; or the HTTP server's settings are unfit.
        RulesError: the rules file is refused.
    """
    if settings.rules is None:
        raise SettingsError("GROUNDSWELL_RULES is not set: name the YAML file that says what to listen for.")
    try:
        text = settings.rules.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"GROUNDSWELL_RULES = {str(settings.rules)!r} cannot be read: {error}") from error
    rules = load_rules(text, where=str(settings.rules))
    app = GroundswellApp(settings)
    start_tracing(app.conf.id)
    intake.register(app, rules)
    detect.register(app, rules)
    alerts.register(app, rules)
    notify.register(app)
    serve(app, rules)
    return app


def __getattr__(name: str) -> GroundswellApp:
    """`faust -A agents.main` asks for `app`; nobody else reads the environment by importing this module."""
    if name == "app":
        app = build(load_settings())
        globals()["app"] = app
        return app
    raise AttributeError(name)
