-- One JSON echo request, sent over and over; the figures leave as one JSON line on stderr.
-- No response() hook: parsing every answer here would slow wrk below the fastest servers.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"input": 3.0}'

function done(summary, latency, requests)
  local faults = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50.0) / 1e3, latency:percentile(99.0) / 1e3,
    faults.status, faults.connect + faults.read + faults.write + faults.timeout))
end
