"""A script with a guard, as Python's documentation teaches it."""

import headrace as hr


class Guarded(hr.Model):
    def predict(self, name: str) -> str:
        return f"guarded {name}"


if __name__ == "__main__":
    hr.run(Guarded, port=0)
    print("returned")
