"""A FastAPI application that loads an image model at its start and frees it at its end.

headrace serve examples/fastapi_lifespan.py --workers 2
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, UploadFile
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG001 - FastAPI passes it
    """Nothing is served before the `yield`; what follows it runs at a stop and at a reload."""
    images, labels = load_digits(return_X_y=True)
    model = RandomForestClassifier(100, random_state=0, n_jobs=1).fit(images, labels)
    yield {"model": model}
    model.estimators_.clear()
    print("the model is released", flush=True)


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
def predict(request: Request, image: UploadFile) -> dict[str, Any]:
    """Say which digit a picture shows; white ink on black."""
    picture = Image.open(io.BytesIO(image.file.read())).convert("L").resize((8, 8))
    pixels = np.asarray(picture, dtype=float).reshape(1, -1) / 16
    chances = request.state.model.predict_proba(pixels)[0]
    return {"digit": int(chances.argmax()), "chance": round(float(chances.max()), 3)}
