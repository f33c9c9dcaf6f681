"""Square a number, in two replicas: kill one under load, and nothing is lost.

python examples/echo.py
curl --json '{"input": 3}' localhost:8000/predict
"""

import headrace as hr


@hr.deployment(replicas=2)
class Echo(hr.Model):
    """Answers the square."""

    def predict(self, body: dict[str, float]) -> dict[str, float]:
        return {"output": body["input"] ** 2}


if __name__ == "__main__":
    hr.run(Echo, port=8000)
