"""An application of FastAPI beside a model: it stands in front, and asks the model by a handle."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

import headrace as hr


class Embed(hr.Model):
    def predict(self, x: int) -> int:
        return x + 1


app = FastAPI()


@app.get("/embedded/{x}")
async def embedded(x: int) -> dict[str, Any]:
    return {"x": await hr.handle(Embed)(x)}


@app.get("/health")
async def health() -> str:
    return "the application's own"


if __name__ == "__main__":
    hr.run(app, Embed, port=0)
