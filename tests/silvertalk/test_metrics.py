import re

import pytest
from prometheus_client import Counter, Gauge, Histogram

from silvertalk import metrics

DECLARED = {name: one for name, one in vars(metrics).items() if isinstance(one, (Counter, Gauge, Histogram))}
CLOSED_LABELS = {"how", "reason", "code", "outcome", "language", "row", "verdict", "kind", "state"}


@pytest.mark.parametrize("name", DECLARED)
def test_a_metric_says_what_it_counts_and_in_what(name: str) -> None:
    metric = DECLARED[name].describe()
    assert next(iter(metric)).name.startswith("silvertalk_")
    assert next(iter(metric)).documentation
    if isinstance(DECLARED[name], Histogram):
        assert re.search(r"_(seconds|bytes)$", next(iter(metric)).name)


def test_labels_are_short_closed_sets_never_ids() -> None:
    used = {label for metric in DECLARED.values() for label in metric._labelnames}
    assert used == CLOSED_LABELS


def test_what_is_counted_is_rendered() -> None:
    metrics.REFUSED.labels("server_full").inc()
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    assert b'silvertalk_refused_total{reason="server_full"}' in text
    for metric in DECLARED.values():
        assert next(iter(metric.describe())).name.encode() in text
