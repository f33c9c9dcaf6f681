"""A configuration with Gunicorn's names, for the application beside it.

headrace serve -c examples/flask_conf.py examples/flask_app.py
"""

import multiprocessing
import os

bind = f"127.0.0.1:{os.environ.get('APP_PORT', '8000')}"
workers = min(4, multiprocessing.cpu_count())
threads = 4

timeout = 60  # a worker whose event loop is silent for so long is replaced
graceful_timeout = 30  # a stop waits so long for requests, and for threads at work
keepalive = 75  # longer than the proxy in front

max_requests = 10_000  # then a worker is replaced, so that what leaks does not stay
max_requests_jitter = 1_000

limit_request_line = 4094
limit_request_fields = 100

accesslog = "-"
loglevel = "info"
