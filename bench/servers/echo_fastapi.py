"""FastAPI's echo, with the model in the web process itself."""

# mypy: disable-error-code="import-not-found", allow-subclassing-any, allow-untyped-decorators

from fastapi import FastAPI
from pydantic import BaseModel


class Question(BaseModel):
    """The body of a request."""

    input: float


app = FastAPI()


@app.post("/predict")
async def predict(question: Question) -> dict[str, float]:
    """Answer one square."""
    return {"output": question.input**2}
