"""What is done with every request before anything else: who asks is found out, and noted.

Outermost is whom the proxies speak for, for the access log tells of the client and not of them.
"""

from __future__ import annotations

from headrace.host.access_log import AccessLog
from headrace.host.settings import Settings
from headrace.http.access import Accessed
from headrace.http.forwarded import Forwarded, Proxies
from headrace.http.messages import App


def access_log_of(settings: Settings) -> AccessLog | None:
    """Open the access log, if one is asked for. Raises ConfigError."""
    if settings.access_log is None:
        return None
    return AccessLog(str(settings.access_log), settings.access_log_format)


def received(app: App, settings: Settings, log: AccessLog | None) -> App:
    """Return the application behind its reception; itself if there is none."""
    if log is not None:
        app = Accessed(app, log)
    if settings.trusted_proxies:
        app = Forwarded(app, Proxies(tuple(settings.trusted_proxies)))
    return app
