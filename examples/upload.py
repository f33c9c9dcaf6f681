"""A file and a number from a form: two parameters, by their names.

python examples/upload.py
curl -F document=@README.md -F top=3 http://127.0.0.1:8000/predict
"""

import re
from collections import Counter

import headrace as hr


class Words(hr.Model):
    """Counts the words of a text file."""

    def predict(self, document: hr.Upload, top: int = 10) -> dict[str, int]:
        words = re.findall(r"\w+", document.text().casefold())
        return dict(Counter(words).most_common(top))


if __name__ == "__main__":
    hr.run(Words)
