"""What `headrace demo` shows: a real image classifier, served and asked about a photo.

The weights and the photo come from packages of the demo extra; nothing is fetched at run time. It
uses the public API alone, as a user's own code would.
"""

import os

# Read when onnxruntime is imported; from 1.31 on it would else send measurements to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
