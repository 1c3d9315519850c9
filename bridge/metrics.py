"""Figures for `/metrics`, in the Prometheus text format (version 0.0.4), without a dependency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "scenecast_"

HELP: Mapping[str, tuple[str, str]] = {
    "uptime_seconds": ("gauge", "Time since the bridge started"),
    "sessions": ("gauge", "Clients connected now"),
    "connections_total": ("counter", "Websocket connections that were let in"),
    "refused_handshakes_total": ("counter", "Requests the gate turned away"),
    "failed_handshakes_total": ("counter", "Connections that ended before they were upgraded"),
    "messages_received_total": ("counter", "Messages from clients"),
    "messages_sent_total": ("counter", "Messages to clients"),
    "asset_bytes_sent_total": ("counter", "Bytes of asset chunks"),
    "upload_bytes_total": ("counter", "Bytes of uploads received"),
    "live_dropped_total": ("counter", "Previews and progress replaced by newer ones before they were sent"),
    "stalled_clients_total": ("counter", "Connections given up because the client did not read"),
    "exports_total": ("counter", "Assets written for a host"),
    "export_cache_hits_total": ("counter", "Assets found already written for the host"),
    "live_sessions": ("gauge", "Live sessions open now"),
    "live_opened_total": ("counter", "Live sessions that were opened"),
    "live_frames_total": ("counter", "Frames given to live workers"),
    "live_frames_replaced_total": ("counter", "Frames that gave way to a newer one, of sessions that are over"),
    "live_images_total": ("counter", "Answers of live workers"),
    "live_workers_lost_total": ("counter", "Live workers that ended by themselves"),
    "store_bytes": ("gauge", "Size of the results in the store"),
    "store_export_bytes": ("gauge", "Size of the files converted for hosts"),
}


@dataclass
class Counters:
    """Counted by the connections; one object per bridge."""

    connections_total: int = 0
    refused_handshakes_total: int = 0
    failed_handshakes_total: int = 0
    messages_received_total: int = 0
    messages_sent_total: int = 0
    asset_bytes_sent_total: int = 0
    upload_bytes_total: int = 0
    live_dropped_total: int = 0
    stalled_clients_total: int = 0
    exports_total: int = 0
    export_cache_hits_total: int = 0
    live_opened_total: int = 0
    live_frames_total: int = 0
    live_frames_replaced_total: int = 0
    live_images_total: int = 0
    live_workers_lost_total: int = 0
    more: dict[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """All counts by name."""
        counts = {name: float(value) for name, value in vars(self).items() if name != "more"}
        return counts | self.more


def render(figures: Mapping[str, float]) -> str:
    """The text a scraper reads; a name may carry labels, as `jobs{state="queued"}`."""
    lines: list[str] = []
    told: set[str] = set()
    for name in sorted(figures):
        bare = name.partition("{")[0]
        if bare not in told:
            told.add(bare)
            kind, meaning = HELP.get(bare, ("counter" if bare.endswith("_total") else "gauge", ""))
            if meaning:
                lines.append(f"# HELP {PREFIX}{bare} {meaning}")
            lines.append(f"# TYPE {PREFIX}{bare} {kind}")
        value = figures[name]
        lines.append(f"{PREFIX}{name} {int(value) if float(value).is_integer() else repr(float(value))}")
    return "\n".join(lines) + "\n"
