"""Values that each setting may have, for properties over all of the table."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from headrace.settings.setting import Setting
from headrace.settings.table import TABLE

ODD = {"debug", "host", "port", "bind"}
"""Settings that others depend on."""
SAMPLES: dict[str, st.SearchStrategy[Any]] = {
    "trusted_proxies": st.sampled_from([(), ("*",), ("10.0.0.0/8", "::1")]),
    "shutdown_allow": st.sampled_from([(), ("10.0.0.0/8", "::1")]),
    "shutdown_path": st.sampled_from(["/shutdown", "/stop/it"]),
    "jobs_path": st.sampled_from(["/jobs", "/later/on"]),
    "root_path": st.sampled_from(["", "/api"]),
    "reload_at": st.sampled_from(["0 4 * * *", "*/5 1-3 * * MON"]),
    "cors_origins": st.sampled_from([(), ("*",), ("https://a.example", "http://b.example:8080")]),
    "tls_keyfile_password": st.just("env:PASSWORD"),
    "api_keys": st.sampled_from([("env:KEYS",), ("file:/keys", "env:KEYS")]),
    "env": st.dictionaries(st.text("ABC_1", min_size=1, max_size=5), st.text(max_size=9)),
}
TEXTS = st.text(min_size=1, max_size=120)


def values(setting: Setting) -> st.SearchStrategy[Any]:
    """Draw what a setting may be."""
    if setting.name in SAMPLES:
        return SAMPLES[setting.name]
    if setting.kind.is_flag:
        return st.booleans()
    if setting.kind.choices:
        return st.sampled_from(setting.kind.choices)
    if isinstance(setting.default, str) or setting.row.least is None:
        return TEXTS
    least, most = setting.row.least, setting.row.most
    if isinstance(setting.default, float):
        return st.floats(least, most or 1e9, allow_nan=False)
    return st.integers(int(least), int(most or 1 << 40))


PLAIN = {name: one for name, one in TABLE.items() if one.kind.read and name not in ODD}
ANY = st.sampled_from(sorted(PLAIN)).flatmap(
    lambda name: st.tuples(st.just(name), values(PLAIN[name]))
)
LAYER = st.lists(ANY, max_size=6).map(dict)
