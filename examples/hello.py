"""The smallest model: one hook, typed.

python examples/hello.py
curl --json '"Ada"' http://127.0.0.1:8000/predict
"""

import headrace as hr


class Hello(hr.Model):
    """Greets."""

    def predict(self, name: str) -> str:
        return f"Hello, {name}!"


if __name__ == "__main__":
    hr.run(Hello)
