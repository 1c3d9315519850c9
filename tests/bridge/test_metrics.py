from __future__ import annotations

import re

from bridge.metrics import Counters, render

LINE = re.compile(r'scenecast_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+')


def test_every_line_is_in_the_text_format() -> None:
    figures = {**Counters().figures(), "store_bytes": 1.5, 'jobs{state="queued"}': 2, 'jobs{state="running"}': 1}
    lines = render(figures).splitlines()
    for line in lines:
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.fullmatch(line), line
    assert lines.count("# TYPE scenecast_jobs gauge") == 1
    assert "# TYPE scenecast_messages_sent_total counter" in lines
    assert "scenecast_store_bytes 1.5" in lines
    assert 'scenecast_jobs{state="queued"} 2' in lines
