"""What the web application counts about itself; the rows' gauges are in `metrics`."""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

registry = CollectorRegistry()
ProcessCollector(registry=registry)
requests = Counter("aquascene_http_requests_total", "Requests answered, by method, route and status.", ["method", "route", "status"], registry=registry)
seconds = Histogram("aquascene_http_request_seconds", "Time to the end of an answer, seconds.", ["method", "route"], registry=registry)
limited = Counter("aquascene_http_rate_limited_total", "Requests refused by the rate limit.", registry=registry)
limited_apart = Counter(
    "aquascene_http_rate_limit_in_process_total", "Looks at a rate limit that were counted in this process, because Redis did not answer.", registry=registry
)
